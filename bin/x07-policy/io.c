/*
 * io.c - files in and out.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "form.h"
#include "outfile.h"
#include "x07-policy.h"

int
try_read_file(const char *file, struct bytes *b)
{
	size_t cap = 0;
	ssize_t n;
	char *p;
	int fd = STDIN_FILENO, error;

	*b = (struct bytes){ 0 };
	if (strcmp(file, "-") != 0 &&
	    (fd = open(file, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	/* One byte beyond what is allowed, so that the reader can say so. */
	while (b->len <= FORM_MAX) {
		if (cap - b->len < 2) {
			cap = cap == 0 ? 16384 : cap * 2;
			if ((p = realloc(b->data, cap)) == NULL)
				goto fail;
			b->data = p;
		}
		n = read(fd, b->data + b->len, cap - b->len - 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			goto fail;
		if (n == 0)
			break;
		b->len += (size_t)n;
		/* A policy is smaller than a form can be; stop early. */
		if (b->len > JSON_TEXT_MAX && memcmp(b->data, FORM_HEADER,
		    strlen(FORM_HEADER)) != 0)
			break;
	}
	b->data[b->len] = '\0';
	if (fd != STDIN_FILENO)
		close(fd);
	return 0;
fail:
	error = errno;
	free(b->data);
	if (fd != STDIN_FILENO)
		close(fd);
	errno = error;
	return -1;
}

struct bytes
read_file(const char *file)
{
	struct bytes b;

	if (try_read_file(file, &b) == -1)
		die_errno("cannot read %s", file);
	return b;
}

void
replace_file(const char *path, const char *data, size_t len)
{
	struct outfile o;

	if (outfile_open(&o, path, 0666, OUTFILE_WHOLE | OUTFILE_NOFOLLOW) == -1)
		die_errno("cannot create %s", path);
	if (outfile_write(&o, data, len) == -1)
		die_errno("cannot write %s", path);
}

int
make_dirs(const char *path)
{
	char *copy = strdup(path), *p = copy;
	struct stat st;
	int r = 0;

	if (copy == NULL)
		return -1;
	while (r == 0 && p != NULL) {
		p = strchr(p + 1, '/');
		if (p != NULL)
			*p = '\0';
		if (mkdir(copy, 0777) == -1 && errno != EEXIST)
			r = -1;
		if (p != NULL)
			*p = '/';
	}
	if (r == 0 && stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		r = -1;
	}
	free(copy);
	return r;
}

void
make_own_dirs(const char *root, char *dir)
{
	char *p = dir + strlen(root), end;
	struct stat st;

	do {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		end = *p;
		*p = '\0';
		if (mkdir(dir, 0777) == -1 && errno != EEXIST)
			die_errno("cannot make directory %s", dir);
		if (lstat(dir, &st) == -1 || !S_ISDIR(st.st_mode))
			die("%s: not a directory; a link would lead what is written "
			    "there out of the project", dir);
		*p = end;
	} while (end != '\0');
}

void
print_errors(FILE *fp, const char *file, const struct policy_errors *es)
{
	char vis[PATH_MAX];
	size_t i;

	diag_vis(vis, sizeof(vis), file, strlen(file));
	for (i = 0; i < es->n; i++)
		fprintf(fp, "%s:%zu:%zu: %s: %s\n", vis, es->list[i].line,
		    es->list[i].column, es->list[i].path, es->list[i].message);
}

struct policy *
parse_policy(const char *file, const struct bytes *b)
{
	struct policy_errors es;
	struct policy *p;

	if ((p = policy_parse(b->data, b->len, &es)) == NULL) {
		print_errors(stderr, file, &es);
		exit(command->invalid);
	}
	return p;
}

struct policy *
load_policy(const char *file)
{
	struct bytes b = read_file(file);

	return parse_policy(file, &b);
}

char *
resolve_root(const char *root)
{
	char *path = realpath(root == NULL ? "." : root, NULL);
	struct stat st;

	if (path == NULL || stat(path, &st) == -1)
		die_errno("project root %s", root == NULL ? "." : root);
	if (!S_ISDIR(st.st_mode))
		die("project root %s: not a directory", path);
	return path;
}

/* A host entry that can match nothing is not worth a refusal, but a word. */
static void
skipped_host(void *arg, const char *key, size_t index, const char *host,
    const char *why)
{
	note("%s: %s[%zu]: %s allows nothing and is left out: %s",
	    (const char *)arg, key, index, host, why);
}

struct bytes
load_form(const char *file, const char *root)
{
	struct bytes b = read_file(file), f;
	char err[256], *name;

	if (b.len >= strlen(FORM_HEADER) &&
	    memcmp(b.data, FORM_HEADER, strlen(FORM_HEADER)) == 0) {
		if (form_parse(b.data, b.len, err, sizeof(err)) == NULL) {
			note("%s: %s", file, err);
			exit(command->invalid);
		}
		return b;
	}
	if ((name = strdup(file)) == NULL)
		die_errno("%s", file);
	f.data = policy_form(parse_policy(file, &b), resolve_root(root), &f.len,
	    skipped_host, name);
	return f;
}

struct form *
load_parsed_form(const char *file, const char *root)
{
	struct bytes b = load_form(file, root);
	struct form *f;
	char err[256];

	if ((f = form_parse(b.data, b.len, err, sizeof(err))) == NULL)
		die("%s: %s", file, err);
	free(b.data);
	return f;
}

struct bytes
canonical(const struct json_value *v)
{
	struct bytes b;
	FILE *fp;

	if ((fp = open_memstream(&b.data, &b.len)) == NULL)
		die_errno("policy");
	json_write(fp, v, JSON_PRETTY);
	if (fclose(fp) == EOF)
		die_errno("policy");
	return b;
}
