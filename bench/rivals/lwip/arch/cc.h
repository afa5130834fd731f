// SPDX-License-Identifier: GPL-2.0-only
//
// What lwIP asks of its platform.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LWIP_PLATFORM_DIAG(x) \
	do {                  \
		printf x;     \
	} while (0)
#define LWIP_PLATFORM_ASSERT(x)                   \
	do {                                      \
		fprintf(stderr, "lwIP: %s\n", x); \
		abort();                          \
	} while (0)
#define LWIP_RAND() ((u32_t)rand())
