/*
 * A loader that starts no programs by name. The kernel opens the loader of an
 * ELF file with the same right as a program, so "ld.so ./evil" cannot be
 * told from an ordinary start by path. But of the loader's own program headers it
 * reads only PT_LOAD when it loads it for another, while a file that it executes
 * must have its PT_INTERP opened first. So the loader is replaced by a copy
 * that has a PT_INTERP which cannot be executed. elf(5), execve(2).
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"

#define NATIVE_CLASS	(sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define LOADER_MAX	(16 << 20)	/* larger than any loader, bytes */

/* Not a regular file, so that execve(2) says EACCES. */
static const char no_interp[] = "/dev/null";

int
loader_tmpfs(void)
{
	int fd = -1, fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	int err;

	if (fs == -1)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0700", 0) == 0 &&
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
		    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	err = errno;
	close(fs);
	errno = err;
	return fd;
}

/*
 * The header that becomes PT_INTERP: one that neither the kernel nor the
 * loader reads of the loader itself.
 */
static ElfW(Phdr) *
spare_header(ElfW(Phdr) *ph, size_t n)
{
	static const uint32_t spare[] = { PT_NOTE, PT_GNU_STACK };

	for (size_t k = 0; k < sizeof(spare) / sizeof(spare[0]); k++)
		for (size_t i = 0; i < n; i++)
			if (ph[i].p_type == spare[k])
				return &ph[i];
	return NULL;
}

/* Edits the len bytes at buf, which no_interp follows. */
static int
edit_headers(char *buf, size_t len)
{
	ElfW(Ehdr) *eh = (ElfW(Ehdr) *)(void *)buf;
	ElfW(Phdr) *ph;

	errno = ENOEXEC;
	if (len < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_ident[EI_CLASS] != NATIVE_CLASS ||
	    eh->e_phentsize != sizeof(*ph) || eh->e_phoff % 8 != 0 ||
	    eh->e_phoff > len || eh->e_phnum > (len - eh->e_phoff) / sizeof(*ph))
		return -1;
	ph = (ElfW(Phdr) *)(void *)(buf + eh->e_phoff);
	for (size_t i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_INTERP)
			return -1;	/* a program, not a loader */
	ph = spare_header(ph, eh->e_phnum);
	if (ph == NULL)
		return -1;
	*ph = (ElfW(Phdr)){
		.p_type = PT_INTERP,
		.p_flags = PF_R,
		.p_offset = len,
		.p_filesz = sizeof(no_interp),
		.p_memsz = sizeof(no_interp),
		.p_align = 1,
	};
	return 0;
}

static char *
read_whole(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *buf = NULL;

	if (fd == -1)
		return NULL;
	errno = EFBIG;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < LOADER_MAX &&
	    (buf = calloc(1, (size_t)st.st_size + sizeof(no_interp))) != NULL) {
		*len = (size_t)st.st_size;
		if (read(fd, buf, *len) != (ssize_t)*len) {
			free(buf);
			buf = NULL;
			errno = EIO;
		}
	}
	close(fd);
	return buf;
}

int
loader_guard(int tmpfs, const char *path)
{
	static unsigned count;
	size_t len = 0;
	char *buf = read_whole(path, &len), name[16];
	int fd, out = -1;

	if (buf == NULL)
		return -1;
	if (edit_headers(buf, len) == -1)
		return -1;
	memcpy(buf + len, no_interp, sizeof(no_interp));
	len += sizeof(no_interp);
	snprintf(name, sizeof(name), "%u", count++);
	fd = openat(tmpfs, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
	if (fd == -1)
		return -1;
	if (fchmod(fd, 0555) == 0 && write(fd, buf, len) == (ssize_t)len)
		out = openat(tmpfs, name, O_PATH | O_CLOEXEC);
	/* A file still open for writing could not be executed. */
	close(fd);
	free(buf);
	return out;
}
