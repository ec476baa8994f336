/* json.c: what is JSON here and what is not, places, integers, canonical bytes. */
#include <atf-c.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

/* Reads a text that must be good; the array's bytes decide, NULs included. */
static struct json *
good(const char *text, size_t len)
{
	struct json_error e;
	struct json *doc = json_parse(text, len, &e);

	if (doc == NULL)
		atf_tc_fail("%.*s: %s at %zu", (int)len, text, e.message, e.at);
	return doc;
}

/* Canonical bytes of a text. */
static char *
canon(const char *text, enum json_style style)
{
	struct json *doc = good(text, strlen(text));
	char *out;
	size_t len;
	FILE *fp = open_memstream(&out, &len);

	ATF_REQUIRE(fp != NULL);
	json_write(fp, json_root(doc), style);
	ATF_REQUIRE(fclose(fp) == 0);
	json_free(doc);
	return out;
}

ATF_TC_WITHOUT_HEAD(accepts);
ATF_TC_BODY(accepts, tc)
{
	static const char *const texts[] = {
		"0", "-0", "1e400", "1E+3", "-1.5e-3", " true\n", "null", "\"\"",
		"[]", "{}", "[1,2]", "{\"a\":{\"b\":[]}}", "\t\r\n [ ] ",
		"\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"",
		"\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
		("123456789012345678901234567890123456789012345678901234567890"
		 "12345678901234567890"),
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_free(good(texts[i], strlen(texts[i])));
}

ATF_TC_WITHOUT_HEAD(refuses);
ATF_TC_BODY(refuses, tc)
{
#define T(s)	s, sizeof(s) - 1
	static const struct {
		const char	*text;
		size_t		 len, at;
		const char	*why;
	} bad[] = {
		{ T(""), 0, "empty" },
		{ T(" \n"), 2, "empty" },
		{ T("\xef\xbb\xbf{}"), 0, "byte order mark" },
		{ T("{} x"), 3, "behind" },
		{ T("{}\0"), 2, "behind" },
		{ T("[1,]"), 3, "expected a value" },
		{ T("[1 2]"), 3, "',' or ']'" },
		{ T("[1"), 2, "',' or ']'" },
		{ T("["), 1, "value should be" },
		{ T("{\"a\" 1}"), 5, "':'" },
		{ T("{\"a\":1,}"), 7, "key in quotes" },
		{ T("{a:1}"), 1, "key in quotes" },
		{ T("{\"a\":1 \"b\":2}"), 7, "',' or '}'" },
		{ T("'a'"), 0, "expected a value" },
		{ T("tru"), 0, "expected a value" },
		{ T("truex"), 4, "behind" },
		{ T("NaN"), 0, "expected a value" },
		{ T("+1"), 0, "expected a value" },
		{ T("01"), 0, "leading zero" },
		{ T("-"), 0, "digit" },
		{ T("-01"), 0, "leading zero" },
		{ T("1."), 0, "digit" },
		{ T(".5"), 0, "expected a value" },
		{ T("1e"), 0, "exponent" },
		{ T("1e+"), 0, "exponent" },
		{ T("0x10"), 1, "behind" },
		{ T("\"a"), 0, "without end" },
		{ T("\"a\nb\""), 2, "without end on its line" },
		{ T("\"a\tb\""), 2, "control character" },
		{ T("\"a\0b\""), 2, "control character" },
		{ T("\"\\u0000\""), 1, "NUL" },
		{ T("\"\\x41\""), 1, "unknown escape" },
		{ T("\"\\"), 1, "without end" },
		{ T("\"\\u12g4\""), 1, "four hex digits" },
		{ T("\"\\u12"), 1, "four hex digits" },
		{ T("\"\\ud800\""), 1, "lone surrogate" },
		{ T("\"\\udc00\""), 1, "lone surrogate" },
		{ T("\"\\ud800\\u0041\""), 1, "lone surrogate" },
		{ T("\"\\ud800\\ud800\""), 1, "lone surrogate" },
		{ T("\"x\xff\""), 2, "UTF-8" },
		{ T("\"x\x80\""), 2, "UTF-8" },
		{ T("\"\xc0\xaf\""), 1, "UTF-8" },
		{ T("\"\xe0\x80\xaf\""), 1, "UTF-8" },
		{ T("\"\xf0\x80\x80\xaf\""), 1, "UTF-8" },
		{ T("\"\xed\xa0\x80\""), 1, "UTF-8" },
		{ T("\"\xf4\x90\x80\x80\""), 1, "UTF-8" },
		{ T("\"\xe2\x82\""), 1, "UTF-8" },
		{ T("\"\xc3"), 1, "UTF-8" },
		{ T("{\"\\ud800\":1}"), 2, "lone surrogate" },
	};
	struct json_error e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* An exact copy, so that reading beyond it is seen by ASan. */
		char *copy = malloc(bad[i].len + 1);

		ATF_REQUIRE(copy != NULL);
		copy = realloc(copy, bad[i].len == 0 ? 1 : bad[i].len);
		ATF_REQUIRE(copy != NULL);
		memcpy(copy, bad[i].text, bad[i].len);
		if (json_parse(copy, bad[i].len, &e) != NULL)
			atf_tc_fail_nonfatal("accepted: %s", bad[i].text);
		else if (strstr(e.message, bad[i].why) == NULL || e.at != bad[i].at)
			atf_tc_fail_nonfatal("%s: \"%s\" at %zu, expected \"%s\" "
			    "at %zu", bad[i].text, e.message, e.at, bad[i].why,
			    bad[i].at);
		free(copy);
	}
}

/* n times open, then close as often. */
static char *
nested(size_t n)
{
	char *s = malloc(2 * n + 1);

	ATF_REQUIRE(s != NULL);
	memset(s, '[', n);
	memset(s + n, ']', n);
	s[2 * n] = '\0';
	return s;
}

ATF_TC_WITHOUT_HEAD(limits);
ATF_TC_BODY(limits, tc)
{
	struct json_error e;
	struct json *doc;
	char *s, *p;
	size_t i;

	s = nested(JSON_DEPTH_MAX);
	json_free(good(s, strlen(s)));
	free(s);
	s = nested(JSON_DEPTH_MAX + 1);
	ATF_REQUIRE(json_parse(s, strlen(s), &e) == NULL);
	ATF_CHECK(strstr(e.message, "64 levels") != NULL);
	ATF_CHECK_EQ(e.at, JSON_DEPTH_MAX);
	free(s);
	s = nested(1000000);
	ATF_REQUIRE(json_parse(s, strlen(s), &e) == NULL);
	free(s);

	/* The array itself and the rest in it. */
	s = malloc(2 * JSON_VALUES_MAX + 8);
	ATF_REQUIRE(s != NULL);
	p = stpcpy(s, "[1");
	for (i = 2; i < JSON_VALUES_MAX; i++)
		p = stpcpy(p, ",1");
	stpcpy(p, "]");
	doc = good(s, strlen(s));
	ATF_CHECK_EQ(json_root(doc)->n, JSON_VALUES_MAX - 1);
	json_free(doc);
	stpcpy(p, ",1]");
	ATF_REQUIRE(json_parse(s, strlen(s), &e) == NULL);
	ATF_CHECK(strstr(e.message, "65536 values") != NULL);
	free(s);

	s = malloc(JSON_TEXT_MAX + 1);
	ATF_REQUIRE(s != NULL);
	memset(s, ' ', JSON_TEXT_MAX + 1);
	s[0] = '1';
	json_free(good(s, JSON_TEXT_MAX));
	ATF_REQUIRE(json_parse(s, JSON_TEXT_MAX + 1, &e) == NULL);
	ATF_CHECK(strstr(e.message, "16 MiB") != NULL);
	free(s);
}

ATF_TC_WITHOUT_HEAD(places);
ATF_TC_BODY(places, tc)
{
	static const char text[] = "{\n \"a\": [1,\n  \"\xc3\xa9\", true],\n"
	    " \"b\" : {}, \"a\": 2, \"a\": 3}";
	struct json *doc = good(text, strlen(text));
	struct json_value *root = json_root(doc), *a, *v;
	struct json_place pl = { text, 0, 1, 1 };

	a = json_member(root, "a");
	ATF_CHECK_EQ(root->n, 4);
	ATF_CHECK_EQ(a->n, 3);
	ATF_CHECK_EQ(text[a->key_at], '"');
	ATF_CHECK_EQ(text[a->at], '[');
	ATF_CHECK_EQ(text[a->end - 1], ']');
	v = a->child->next->next;
	json_place(&pl, v->at);
	ATF_CHECK_EQ(pl.line, 3);
	ATF_CHECK_EQ(pl.column, 8);	/* the letter counts once */
	v = json_member(root, "b");
	json_place(&pl, v->at);
	ATF_CHECK_EQ(pl.line, 4);
	ATF_CHECK_EQ(pl.column, 8);
	ATF_CHECK(v->first == NULL);
	ATF_CHECK(v->next->first == a);
	ATF_CHECK(v->next->next->first == a);
	json_free(doc);
}

ATF_TC_WITHOUT_HEAD(integers);
ATF_TC_BODY(integers, tc)
{
	static const struct {
		const char	*text;
		enum json_int	 r;
		int64_t		 n;
	} cases[] = {
		{ "0", JSON_INT_OK, 0 },
		{ "-1", JSON_INT_OK, -1 },
		{ "65535", JSON_INT_OK, 65535 },
		{ "9007199254740993", JSON_INT_OK, INT64_C(9007199254740993) },
		{ "9223372036854775807", JSON_INT_OK, INT64_MAX },
		{ "-9223372036854775808", JSON_INT_OK, INT64_MIN },
		{ "9223372036854775808", JSON_INT_HUGE, 0 },
		{ "-9223372036854775809", JSON_INT_HUGE, 0 },
		{ "18446744073709551617", JSON_INT_HUGE, 0 },
		{ "99999999999999999999999999999999999999999999999999999999999"
		  "9999999999999999999999", JSON_INT_HUGE, 0 },
		{ "-0", JSON_INT_NOT, 0 },
		{ "1.0", JSON_INT_NOT, 0 },
		{ "1e3", JSON_INT_NOT, 0 },
		{ "1e400", JSON_INT_NOT, 0 },
	};
	struct json *doc;
	int64_t n;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		doc = good(cases[i].text, strlen(cases[i].text));
		n = 0;
		ATF_CHECK_EQ_MSG(json_int(json_root(doc), &n), cases[i].r, "%s",
		    cases[i].text);
		ATF_CHECK_EQ_MSG(n, cases[i].n, "%s", cases[i].text);
		json_free(doc);
	}
}

ATF_TC_WITHOUT_HEAD(writes);
ATF_TC_BODY(writes, tc)
{
	static const char text[] = "{\"b\":[1,{},[]],\"a\":\"\\u00e9\\u0001\\n\\/\","
	    "\"B\":null,\"aa\":true,\"\":-5}";
	char *s;

	s = canon(text, JSON_COMPACT);
	ATF_CHECK_STREQ(s, "{\"\":-5,\"B\":null,\"a\":\"\xc3\xa9\\u0001\\n/\","
	    "\"aa\":true,\"b\":[1,{},[]]}");
	free(s);
	s = canon(text, JSON_PRETTY);
	ATF_CHECK_STREQ(s, "{\n  \"\": -5,\n  \"B\": null,\n"
	    "  \"a\": \"\xc3\xa9\\u0001\\n/\",\n  \"aa\": true,\n"
	    "  \"b\": [\n    1,\n    {},\n    []\n  ]\n}\n");
	free(s);
}

ATF_TC_WITHOUT_HEAD(changes);
ATF_TC_BODY(changes, tc)
{
	struct json *doc = good("{\"a\":1,\"b\":2}", 13);
	struct json_value *list = json_new(doc, JSON_ARRAY);
	char *out;
	size_t len;
	FILE *fp;

	json_append(list, json_new_int(doc, -7));
	json_append(list, json_new_string(doc, "x"));
	json_append(list, json_new_bool(doc, true));
	json_set(doc, json_root(doc), "a", list);
	json_set(doc, json_root(doc), "c", json_new(doc, JSON_OBJECT));
	fp = open_memstream(&out, &len);
	ATF_REQUIRE(fp != NULL);
	json_write(fp, json_root(doc), JSON_COMPACT);
	ATF_REQUIRE(fclose(fp) == 0);
	ATF_CHECK_STREQ(out, "{\"a\":[-7,\"x\",true],\"b\":2,\"c\":{}}");
	free(out);
	json_free(doc);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, accepts);
	ATF_TP_ADD_TC(tp, refuses);
	ATF_TP_ADD_TC(tp, limits);
	ATF_TP_ADD_TC(tp, places);
	ATF_TP_ADD_TC(tp, integers);
	ATF_TP_ADD_TC(tp, writes);
	ATF_TP_ADD_TC(tp, changes);
	return atf_no_error();
}
