/*
 * input: starts a program with given bytes as its standard input: decoded
 * from base64, words in the encoding of X07 programs, argv_v1, or a file of a
 * project, and no other that a link in it leads to.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os.h"
#include "x07.h"

/* The value of a base64 digit, or -1. */
static int
digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c != '\0' ? strchr(digits, c) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

/* Decodes in place; RFC 4648, with or without padding. Returns the length. */
static size_t
decode(char *text)
{
	unsigned bits = 0;
	size_t n = 0, have = 0, digits = 0;
	char *p = text;
	int d;

	for (; (d = digit(*p)) != -1; p++, digits++) {
		bits = bits << 6 | (unsigned)d;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		text[n++] = (char)(bits >> have & 0xff);
	}
	if (p[strspn(p, "=")] != '\0' || strlen(p) > 2)
		refuse("--input-b64: not base64 at character %zu", digits + 1);
	if (*p == '=' && (digits + strlen(p)) % 4 != 0)
		refuse("--input-b64: wrong padding");
	/* What is left over must be nothing: else two texts mean the same bytes. */
	if (digits % 4 == 1 || (bits & ((1U << have) - 1)) != 0)
		refuse("--input-b64: cut off, or not base64");
	return n;
}

static void
put_u32le(FILE *f, size_t n)
{
	if (n > UINT32_MAX)
		refuse("an argument is longer than argv_v1 can say");
	for (int i = 0; i < 4; i++)
		putc((int)(n >> (8 * i) & 0xff), f);
}

static size_t
encode(char **buf, char *const words[], size_t n)
{
	size_t len;
	FILE *f = open_memstream(buf, &len);

	if (f == NULL)
		refuse_errno("input");
	put_u32le(f, n);
	for (size_t i = 0; i < n; i++) {
		put_u32le(f, strlen(words[i]));
		fputs(words[i], f);
	}
	if (fclose(f) == EOF)
		refuse_errno("input");
	return len;
}

/* The file below root. What is opened is what was looked at. */
static int
open_below(const char *root, const char *file)
{
	char again[64];
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), at, fd;

	if (dir == -1)
		refuse_errno("%s", root);
	at = os_path_open(dir, file, OS_PATH_BENEATH);
	if (at == -1 && (errno == ELOOP || errno == EXDEV))
		refuse("the input %s/%s is a symbolic link, or a link on the way "
		    "leads out of the project; name the file with --input", root,
		    file);
	if (at == -1)
		refuse_errno("%s/%s", root, file);
	snprintf(again, sizeof(again), "/proc/self/fd/%d", at);
	fd = open(again, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		refuse_errno("%s/%s", root, file);
	close(at);
	close(dir);
	return fd;
}

static int
open_bytes(const char *bytes, size_t len)
{
	int fd = os_seal(bytes, len);

	if (fd == -1 || lseek(fd, 0, SEEK_SET) == -1)
		refuse_errno("input");
	return fd;
}

static _Noreturn void
usage(int status)
{
	fputs("usage: input -b BASE64 [--] program [argument ...]\n"
	    "       input -r ROOT -f FILE [--] program [argument ...]\n"
	    "       input -n N [--] WORD ... program [argument ...]\n",
	    status == 0 ? stdout : stderr);
	exit(status);
}

int
main(int argc, char *argv[])
{
	char *bytes = NULL;
	const char *why, *root = NULL, *file = NULL;
	size_t len = 0, words = 0;
	bool counted = false;
	int ch, fd;

	setprogname("x07 run");
	while ((ch = getopt(argc, argv, "+b:f:hn:r:")) != -1)
		switch (ch) {
		case 'b':
			bytes = optarg;
			break;
		case 'f':
			file = optarg;
			break;
		case 'n':
			words = (size_t)strtonum(optarg, 0, 1 << 20, &why);
			counted = true;
			break;
		case 'r':
			root = optarg;
			break;
		case 'h':
			usage(0);
		default:
			usage(EXIT_REFUSED);
		}
	if ((bytes != NULL) + counted + (file != NULL) != 1 ||
	    (file != NULL) != (root != NULL) || (size_t)(argc - optind) <= words)
		usage(EXIT_REFUSED);
	argv += optind;
	if (file != NULL) {
		fd = open_below(root, file);
	} else {
		len = counted ? encode(&bytes, argv, words) : decode(bytes);
		fd = open_bytes(bytes, len);
	}
	argv += words;
	/* It is that already when ours was closed. */
	if (fd == STDIN_FILENO ? fcntl(fd, F_SETFD, 0) == -1 :
	    dup2(fd, STDIN_FILENO) == -1)
		refuse_errno("input");
	chain_exec(argv);
}
