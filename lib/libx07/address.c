/* IP addresses as bytes, and as the kernel wants to be told them. */
#include <arpa/inet.h>
#include <string.h>

#include "address.h"

size_t
address_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

socklen_t
address_fill(struct sockaddr_in6 *sa, int family, const unsigned char *addr,
    uint16_t port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)sa;

	memset(sa, 0, sizeof(*sa));
	if (family == AF_INET) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, addr, 4);
		return sizeof(*four);
	}
	sa->sin6_family = AF_INET6;
	sa->sin6_port = htons(port);
	memcpy(&sa->sin6_addr, addr, 16);
	return sizeof(*sa);
}
