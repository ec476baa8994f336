/*
 * compile.c - from the policy people write to the form that gates read.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "policy.h"
#include "x07.h"

struct compiler {
	const struct policy	*policy;
	struct form_writer	*writer;
	policy_skipped		*skipped;
	void			*arg;
};

static void
add(struct compiler *c, const struct key *key, const char *value)
{
	if (form_writer_add(c->writer, key->path, value) == -1)
		refuse_errno("policy");
}

static int
port_cmp(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Writes "HOST:PORT,PORT" of an entry; ports ascending, each once. */
static void
write_allow(FILE *fp, const char *host, const struct json_value *ports)
{
	const struct json_value *v;
	int64_t port[HOST_PORTS_MAX];
	size_t i, n = 0;

	fputs(strchr(host, ':') != NULL ? "[" : "", fp);
	for (i = 0; host[i] != '\0'; i++)
		putc(tolower((unsigned char)host[i]), fp);
	fputs(strchr(host, ':') != NULL ? "]:" : ":", fp);
	for (v = ports->child; v != NULL && n < HOST_PORTS_MAX; v = v->next)
		json_int(v, &port[n++]);
	qsort(port, n, sizeof(port[0]), port_cmp);
	for (i = 0; i < n; i++)
		if (i == 0 || port[i] != port[i - 1])
			fprintf(fp, "%s%lld", i > 0 ? "," : "",
			    (long long)port[i]);
}

/* True when a host can match something; else it is told and left out. */
static bool
can_match(struct compiler *c, const struct key *key, const char *host,
    size_t index)
{
	struct hostspec hs;
	const char *why;

	if (host_parse_host(&hs, host, &why) == 0)
		return true;
	if (c->skipped != NULL)
		c->skipped(c->arg, key->path, index, host, why);
	return false;
}

static void
add_allow(struct compiler *c, const struct key *key,
    const struct json_value *entry, size_t index)
{
	const char *host = json_member(entry, "host")->string;
	char bare[HOST_MAX + 1], *text;
	size_t len;
	FILE *fp;

	if (!can_match(c, key, host, index))
		return;
	/* "[::1]" is tolerated, as the reference does. */
	strlcpy(bare, host + (*host == '['), sizeof(bare));
	if (*host == '[')
		bare[strcspn(bare, "]")] = '\0';
	if ((fp = open_memstream(&text, &len)) == NULL)
		refuse_errno("policy");
	write_allow(fp, bare, json_member(entry, "ports"));
	if (fclose(fp) == EOF)
		refuse_errno("policy");
	add(c, key, text);
	free(text);
}

static void
add_list(struct compiler *c, const struct key *key, const struct json_value *v)
{
	const struct json_value *item;
	size_t i = 0;

	for (item = v->child; item != NULL; item = item->next, i++)
		if (key->type == KEY_HOSTS)
			add_allow(c, key, item, i);
		else if ((key->flags & KEY_ADDRS) == 0 ||
		    can_match(c, key, item->string, i))
			add(c, key, item->string);
}

static void
add_key(struct compiler *c, const struct key *key)
{
	const struct json_value *v = policy_value(c->policy, key->path);

	if (v != NULL && v->type == JSON_ARRAY)
		add_list(c, key, v);
	else if (v != NULL)
		add(c, key, v->type == JSON_BOOL ? v->boolean ? "1" : "0" :
		    v->string);
	else if (!key_is_list(key))
		add(c, key, key->dflt);
}

char *
policy_form(const struct policy *p, const char *project_root, size_t *len,
    policy_skipped *skipped, void *arg)
{
	struct compiler c = { p, NULL, skipped, arg };
	const struct key *key;
	char *form;

	if ((c.writer = form_writer_new()) == NULL)
		refuse_errno("policy");
	for (key = policy_keys; key < policy_keys + policy_nkeys; key++)
		if ((key->flags & KEY_FORMONLY) != 0)
			add(&c, key, project_root);
		else if ((key->flags & KEY_NOFORM) == 0)
			add_key(&c, key);
	if ((form = form_writer_finish(c.writer, len)) == NULL)
		refuse_errno("policy");
	return form;
}
