// SPDX-License-Identifier: GPL-2.0-only
//
// Which sanitizer the compiler builds for, by one name for g++ and clang++: SKBWALK_ASAN (addresses),
// SKBWALK_TSAN (threads).
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SKBWALK_ASAN
#endif
#if defined(__SANITIZE_THREAD__)
#define SKBWALK_TSAN
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKBWALK_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define SKBWALK_TSAN
#endif
#endif
