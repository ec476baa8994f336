/*
 * elf_read.h - what an ELF file asks for.
 */
#ifndef ELF_READ_H
#define ELF_READ_H

#include <stdbool.h>
#include <stddef.h>

struct elf {
	unsigned	class, machine;	/* must be those of the program */
	char		*interp;	/* loader, NULL when static */
	char		*rpath, *runpath;
	char		**needed;
	size_t		nneeded;
};

/*
 * Reads what the ELF file on fd asks for, in malloced memory. False when it is none
 * of this byte order, or damaged. elf(5)
 */
bool	elf_read(int fd, struct elf *);

#endif
