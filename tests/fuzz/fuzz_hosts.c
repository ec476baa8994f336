/* Host specs: an entry that is taken is one that can match, and is in order. */
#include <sys/socket.h>

#include <string.h>

#include "fuzz.h"
#include "x07.h"

static void
check_spec(const struct hostspec *hs)
{
	size_t i, len = hs->family == AF_INET ? 4 : 16;

	for (i = 1; i < hs->nports; i++)
		MUST(hs->ports[i] > hs->ports[i - 1]);
	MUST(hs->nports <= HOST_PORTS_MAX);
	MUST(hs->nports == 0 || hs->ports[0] != 0);
	if (hs->kind == HOST_RANGE) {
		MUST(hs->family == AF_INET || hs->family == AF_INET6);
		MUST(memcmp(hs->lo, hs->hi, len) <= 0);
		MUST(host_covers(hs, hs->family, hs->lo));
		MUST(host_covers(hs, hs->family, hs->hi));
		return;
	}
	len = strlen(hs->name);
	MUST(len >= 1 && len <= HOST_MAX && hs->name[len - 1] != '.');
	for (i = 0; i < len; i++)
		MUST(hs->name[i] > 0x20 && hs->name[i] < 0x7f &&
		    strchr(";*/:[]ABCDEFGHIJKLMNOPQRSTUVWXYZ", hs->name[i]) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hostspec hs;
	const char *why = NULL;
	char *text;
	int deny;

	if ((text = malloc(size + 1)) == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (deny = 0; deny < 2; deny++) {
		if (host_parse(&hs, text, deny != 0, &why) == 0) {
			check_spec(&hs);
			MUST(hs.all_ports ? deny != 0 && hs.nports == 0 :
			    hs.nports > 0);
		} else
			MUST(why != NULL);
	}
	if (host_parse_host(&hs, text, &why) == 0)
		check_spec(&hs);
	free(text);
	return 0;
}
