#pragma once

/// For a function whose loops the compiler turns into vector instructions: one copy for each generation of
/// processors, of which the loader picks. Not with AddressSanitizer, which need not be ready by then, nor with clang,
/// whose older versions lack it.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define CINECORTEX_ANY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CINECORTEX_ANY_PROCESSOR
#endif
