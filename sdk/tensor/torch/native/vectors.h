// How loops of our own are compiled.
#pragma once

// Compiled twice where GCC can: for any x86-64, and for the wider vectors of processors since 2013.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE_VECTORS __attribute__((target_clones("arch=haswell", "default")))
#else
#define WIDE_VECTORS
#endif
