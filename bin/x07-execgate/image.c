/* What a file needs to be started: its loader, elf(5), or its interpreter. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "execgate.h"

#define NATIVE_CLASS	(sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define PHDRS_MAX	128

#if defined(__x86_64__)
#define NATIVE_MACHINE	EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE	EM_AARCH64
#elif defined(__riscv)
#define NATIVE_MACHINE	EM_RISCV
#else
#error "no EM_ number for this machine: add it here"
#endif

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* As the kernel reads it: first word, then all the rest as one argument. */
static void
read_script(struct image *im, const char *line, size_t len)
{
	const char *p = line + 2, *end = memchr(line, '\n', len), *word;

	if (end == NULL)
		end = line + len;
	while (end > p && (is_blank(end[-1]) || end[-1] == '\0'))
		end--;
	while (p < end && is_blank(*p))
		p++;
	for (word = p; p < end && !is_blank(*p); p++)
		continue;
	if (p == word)
		return;
	memcpy(im->interp, word, (size_t)(p - word));
	while (p < end && is_blank(*p))
		p++;
	memcpy(im->arg, p, (size_t)(end - p));
	im->kind = IMAGE_SCRIPT;
}

static void
read_elf(struct image *im, int fd, const char *head, size_t len)
{
	ElfW(Ehdr) eh;
	ElfW(Phdr) ph[PHDRS_MAX];
	size_t size;

	if (len < sizeof(eh))
		return;
	memcpy(&eh, head, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != NATIVE_CLASS || eh.e_machine != NATIVE_MACHINE) {
		im->kind = IMAGE_FOREIGN;
		return;
	}
	size = eh.e_phnum * sizeof(ph[0]);
	if (eh.e_phentsize != sizeof(ph[0]) || eh.e_phnum > PHDRS_MAX ||
	    pread(fd, ph, size, (off_t)eh.e_phoff) != (ssize_t)size)
		return;
	im->kind = IMAGE_STATIC;
	for (size_t i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type != PT_INTERP)
			continue;
		im->kind = IMAGE_OTHER;
		if (ph[i].p_filesz > 1 && ph[i].p_filesz < sizeof(im->interp) &&
		    pread(fd, im->interp, ph[i].p_filesz,
		    (off_t)ph[i].p_offset) == (ssize_t)ph[i].p_filesz)
			im->kind = IMAGE_DYNAMIC;
		return;
	}
}

void
image_read(struct image *im, const char *path)
{
	char head[IMAGE_WORD];
	ssize_t n;
	int fd;

	memset(im, 0, sizeof(*im));
	im->kind = IMAGE_UNREADABLE;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return;
	n = pread(fd, head, sizeof(head), 0);
	im->kind = IMAGE_OTHER;
	if (n >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		read_elf(im, fd, head, (size_t)n);
	else if (n > 2 && head[0] == '#' && head[1] == '!')
		read_script(im, head, (size_t)n);
	close(fd);
}
