/*
 * address.h - IP addresses as bytes, and as the kernel wants to be told them.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <sys/socket.h>

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

/* The bytes of an address of the family, AF_INET or AF_INET6. */
size_t	address_len(int family);

/*
 * Fills *sa, which has room for both kinds, with the address (network byte order
 * bytes) and the port (host byte order). Returns the length of what is in it, as
 * connect(2) and bind(2) take it; see ip(7) and ipv6(7).
 */
socklen_t	address_fill(struct sockaddr_in6 *sa, int family,
		    const unsigned char *addr, uint16_t port);

#endif
