/*
 * fuzz.h - what the fuzz targets share.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A broken promise is a crash, which the fuzzer keeps the input of. */
#define MUST(cond)	((cond) ? (void)0 : abort())

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#endif
