/* SHA-256 as FIPS 180-2 gives it, whole and in pieces. */
#include <atf-c.h>
#include <string.h>

#include "digest.h"

static const char two_blocks[] =
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const char two_blocks_hex[] =
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";

ATF_TC_WITHOUT_HEAD(known);
ATF_TC_BODY(known, tc)
{
	char hex[DIGEST_HEX];

	ATF_CHECK_STREQ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852"
	    "b855", digest_of("", 0, hex));
	ATF_CHECK_STREQ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f200"
	    "15ad", digest_of("abc", 3, hex));
	ATF_CHECK_STREQ(two_blocks_hex, digest_of(two_blocks, strlen(two_blocks),
	    hex));
}

ATF_TC_WITHOUT_HEAD(pieces);
ATF_TC_BODY(pieces, tc)
{
	char hex[DIGEST_HEX], block[1000];
	struct digest d;

	digest_start(&d);
	for (const char *p = two_blocks; *p != '\0'; p++)
		digest_add(&d, p, 1);
	ATF_CHECK_STREQ(two_blocks_hex, digest_end_hex(&d, hex));

	memset(block, 'a', sizeof(block));
	digest_start(&d);
	for (int i = 0; i < 1000; i++)
		digest_add(&d, block, sizeof(block));
	ATF_CHECK_STREQ("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc711"
	    "2cd0", digest_end_hex(&d, hex));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, known);
	ATF_TP_ADD_TC(tp, pieces);
	return atf_no_error();
}
