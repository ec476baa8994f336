/*
 * Which image is run: what the runtime says of a name is checked, and what is
 * run then is named by its digest, so that nobody can put another under the name in
 * between.
 */
#include <stdlib.h>
#include <string.h>

#include "vm-ctr.h"
#include "x07.h"

#define REF_CHARS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
			"0123456789._:@/+-"
#define BETWEEN		" \t\r\n[]{},\""	/* the words of tables and of JSON */
#define HEX_LEN		64

static void
check_ref(const char *ref)
{
	if (ref == NULL)
		refuse("--image is needed: a reference to an OCI image");
	if (*ref == '\0' || *ref == '-' || *ref == '@' || strlen(ref) > 1024 ||
	    strspn(ref, REF_CHARS) != strlen(ref))
		refuse("image '%s' is no reference to an OCI image", ref);
}

/* "sha256:HEX" at the end of a word of an inspection; NULL when it is none. */
static const char *
digest_of(const char *word)
{
	const char *at = strrchr(word, '@');

	at = at != NULL ? at + 1 : word;
	return vm_digest_valid(at) ? at : NULL;
}

/* REF without tag and digest, and the digest behind it. */
static char *
with_digest(const char *ref, const char *digest)
{
	size_t len = strcspn(ref, "@");
	const char *base = memrchr(ref, '/', len), *colon;
	char *pinned;

	base = base != NULL ? base : ref;
	colon = memchr(base, ':', len - (size_t)(base - ref));
	if (colon != NULL)
		len = (size_t)(colon - ref);
	if (asprintf(&pinned, "%.*s@%s", (int)len, ref, digest) == -1)
		refuse_errno("memory");
	return pinned;
}

static char *
copy(const char *prefix, const char *text)
{
	char *p;

	if (asprintf(&p, "%s%s", prefix, text) == -1)
		refuse_errno("memory");
	return p;
}

/*
 * Looks through what an inspection printed for the digest that is asked for, or
 * takes the first. Returns the reference to run, or NULL; *seen is a digest of it.
 */
static char *
choose(const struct runtime *rt, char *out, const char *ref,
    const char *digest, const char **seen)
{
	const char *found;
	char *word;

	*seen = NULL;
	while ((word = strsep(&out, BETWEEN)) != NULL) {
		/* podman gives an image's own identity without the prefix. */
		if (rt->names_digest && strlen(word) == HEX_LEN &&
		    vm_digest_valid(copy("sha256:", word)))
			word = copy("sha256:", word);
		found = digest_of(word);
		if (found == NULL || *word == '-' || *word == '@' ||
		    strspn(word, REF_CHARS) != strlen(word))
			continue;
		/* A table of names says in a name what somebody called it. */
		if (!rt->names_digest && found != word)
			continue;
		if (*seen == NULL)
			*seen = found;
		if (digest == NULL || strcmp(found, digest) == 0)
			return rt->names_digest ? word : with_digest(ref, found);
	}
	return NULL;
}

static void
inspect(struct job *j, const char *ref, struct said *s)
{
	j->about = ref;
	control(words(j, j->rt->inspect), CONTROL_MS, s);
}

/* containerd runs what has a name: the pinned reference becomes one. */
static void
give_name(struct job *j, const char *ref, const char *pinned)
{
	static struct said s;
	const char *seen, *digest = digest_of(pinned);

	inspect(j, pinned, &s);
	if (s.status == 0 && choose(j->rt, s.out, ref, digest, &seen) != NULL)
		return;
	j->about = ref;
	j->image = pinned;
	control(words(j, j->rt->tag), CONTROL_MS, &s);
	inspect(j, pinned, &s);
	if (s.status != 0 || choose(j->rt, s.out, ref, digest, &seen) == NULL)
		refuse("image %s cannot be given the name %s: %s", ref, pinned,
		    s.status != 0 ? control_why(&s) : "it is another one now");
}

char *
image_pin(struct job *j, const char *ref, const char *digest)
{
	static struct said s;
	const char *seen, *own;
	char *pinned;

	check_ref(ref);
	own = strchr(ref, '@') != NULL ? digest_of(ref) : NULL;
	if (own != NULL && digest != NULL && strcmp(own, digest) != 0)
		refuse("image %s is not %s (X07_VM_GUEST_IMAGE_DIGEST)", ref, digest);
	if (digest == NULL)
		digest = own;
	inspect(j, ref, &s);
	if (s.status != 0)
		refuse("image %s: %s; get it first: %s %s", ref, control_why(&s),
		    j->rt->pull, ref);
	pinned = choose(j->rt, s.out, ref, digest, &seen);
	if (pinned == NULL && seen == NULL)
		refuse("image %s: %s does not know it; get it first: %s %s", ref,
		    j->rt->what, j->rt->pull, ref);
	if (pinned == NULL)
		refuse("image %s is %s, but %s is asked for "
		    "(X07_VM_GUEST_IMAGE_DIGEST); get that image: %s %s", ref,
		    seen, digest, j->rt->pull, with_digest(ref, digest));
	if (j->rt->tag != NULL)
		give_name(j, ref, pinned);
	return pinned;
}
