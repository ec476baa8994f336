/*
 * What an ELF file asks for: its loader and its libraries. The bytes are not
 * trusted: every number is checked against the file before it is used.
 */
#include <sys/stat.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_read.h"

#define PHDRS_MAX	64
#define DYNAMIC_MAX	4096		/* entries */
#define STRING_MAX	4096		/* bytes of a name or a search path */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA	ELFDATA2LSB
#else
#define NATIVE_DATA	ELFDATA2MSB
#endif

struct file {
	int		fd;
	bool		wide;		/* 64-bit */
	struct elf	*elf;
	Elf64_Phdr	ph[PHDRS_MAX];
	size_t		nph;
	Elf64_Dyn	*dyn;
	size_t		ndyn;
	uint64_t	strtab;		/* offset in the file */
};

static bool
read_at(int fd, uint64_t at, void *buf, size_t len)
{
	return at <= INT64_MAX - len &&
	    pread(fd, buf, len, (off_t)at) == (ssize_t)len;
}

static Elf64_Phdr
widen_phdr(const Elf32_Phdr *p)
{
	return (Elf64_Phdr){ .p_type = p->p_type, .p_offset = p->p_offset,
	    .p_vaddr = p->p_vaddr, .p_filesz = p->p_filesz };
}

/* The file header and the program headers. */
static bool
read_headers(struct file *f)
{
	Elf64_Ehdr e64;
	Elf32_Ehdr e32;
	uint64_t at;
	size_t size;

	if (!read_at(f->fd, 0, &e32, sizeof(e32)) ||
	    memcmp(e32.e_ident, ELFMAG, SELFMAG) != 0 ||
	    e32.e_ident[EI_DATA] != NATIVE_DATA)
		return false;
	f->wide = e32.e_ident[EI_CLASS] == ELFCLASS64;
	if (f->wide && !read_at(f->fd, 0, &e64, sizeof(e64)))
		return false;
	f->elf->class = e32.e_ident[EI_CLASS];
	f->elf->machine = e32.e_machine;	/* the same place in both */
	at = f->wide ? e64.e_phoff : e32.e_phoff;
	f->nph = f->wide ? e64.e_phnum : e32.e_phnum;
	size = f->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (f->nph > PHDRS_MAX ||
	    (f->wide ? e64.e_phentsize : e32.e_phentsize) != size)
		return false;
	for (size_t i = 0; i < f->nph; i++) {
		Elf32_Phdr p32;

		if (!read_at(f->fd, at + i * size, f->wide ? (void *)&f->ph[i] :
		    (void *)&p32, size))
			return false;
		if (!f->wide)
			f->ph[i] = widen_phdr(&p32);
	}
	return true;
}

/* A string of the file that ends within STRING_MAX bytes, malloced, or NULL. */
static char *
read_string(int fd, uint64_t at)
{
	char buf[STRING_MAX];
	ssize_t n;

	if (at > INT64_MAX)
		return NULL;
	n = pread(fd, buf, sizeof(buf), (off_t)at);
	if (n <= 0 || memchr(buf, '\0', (size_t)n) == NULL || *buf == '\0')
		return NULL;
	return strdup(buf);
}

static const Elf64_Phdr *
header_of(const struct file *f, uint32_t type)
{
	for (size_t i = 0; i < f->nph; i++)
		if (f->ph[i].p_type == type)
			return &f->ph[i];
	return NULL;
}

/* Where the address of the running program is in the file. */
static bool
offset_of(const struct file *f, uint64_t addr, uint64_t *offset)
{
	for (size_t i = 0; i < f->nph; i++) {
		const Elf64_Phdr *p = &f->ph[i];

		if (p->p_type == PT_LOAD && addr >= p->p_vaddr &&
		    addr - p->p_vaddr < p->p_filesz) {
			*offset = p->p_offset + (addr - p->p_vaddr);
			return true;
		}
	}
	return false;
}

static bool
read_dynamic(struct file *f, const Elf64_Phdr *p)
{
	size_t size = f->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
	size_t n = p->p_filesz / size;

	if (n > DYNAMIC_MAX)
		return false;
	f->dyn = calloc(n + 1, sizeof(*f->dyn));
	if (f->dyn == NULL)
		return false;
	for (size_t i = 0; i < n; i++, f->ndyn++) {
		Elf32_Dyn d32;

		if (!read_at(f->fd, p->p_offset + i * size, f->wide ?
		    (void *)&f->dyn[i] : (void *)&d32, size))
			return false;
		if (!f->wide)
			f->dyn[i] = (Elf64_Dyn){ .d_tag = d32.d_tag,
			    .d_un.d_val = d32.d_un.d_val };
		if (f->dyn[i].d_tag == DT_NULL)
			break;
		if (f->dyn[i].d_tag == DT_STRTAB &&
		    !offset_of(f, f->dyn[i].d_un.d_val, &f->strtab))
			return false;
	}
	return true;
}

static bool
take_entries(struct file *f)
{
	struct elf *e = f->elf;

	e->needed = calloc(f->ndyn + 1, sizeof(*e->needed));
	if (e->needed == NULL)
		return false;
	for (size_t i = 0; i < f->ndyn; i++) {
		uint64_t at = f->strtab + f->dyn[i].d_un.d_val;
		char **where = NULL;

		switch (f->dyn[i].d_tag) {
		case DT_NEEDED:
			where = &e->needed[e->nneeded++];
			break;
		case DT_RPATH:
			where = &e->rpath;
			break;
		case DT_RUNPATH:
			where = &e->runpath;
			break;
		}
		if (where != NULL && (*where = read_string(f->fd, at)) == NULL)
			return false;
	}
	return true;
}

bool
elf_read(int fd, struct elf *elf)
{
	struct file f = { .fd = fd, .elf = elf };
	const Elf64_Phdr *interp, *dynamic;
	bool ok;

	*elf = (struct elf){ 0 };
	if (!read_headers(&f))
		return false;
	interp = header_of(&f, PT_INTERP);
	if (interp != NULL &&
	    (elf->interp = read_string(fd, interp->p_offset)) == NULL)
		return false;
	dynamic = header_of(&f, PT_DYNAMIC);
	if (dynamic == NULL)
		return true;
	ok = read_dynamic(&f, dynamic) && take_entries(&f);
	free(f.dyn);
	return ok;
}
