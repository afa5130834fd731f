# SPDX-License-Identifier: GPL-2.0-only
#
# Compiler and linker flags, on the interface library that every target links.
add_library(skbwalk_flags INTERFACE)
target_include_directories(skbwalk_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_features(skbwalk_flags INTERFACE cxx_std_20)

# Assertions stay on: a broken invariant must stop the run. The builds by a profile (below) have none, as lwIP and
# ns-3 are built, which they are measured beside.
set(SKBWALK_OPTIMIZE "-O2" CACHE STRING "how far the release builds are optimised")
set(CMAKE_CXX_FLAGS_RELEASE "${SKBWALK_OPTIMIZE} -g1")
set(SKBWALK_DEBUG_INFO "-g" CACHE STRING "what the debug builds know of their sources")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 ${SKBWALK_DEBUG_INFO}")

target_compile_options(skbwalk_flags INTERFACE
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
	# g++ keeps the sign out of -Wconversion for C++, clang++ does not; the kernel's arithmetic mixes both.
	-Wno-sign-conversion
	# Operation tables name the members that they fill, as the kernel's do.
	-Wno-missing-field-initializers
	# As the kernel: control blocks and headers are seen through more than one type.
	-fno-strict-aliasing
	# Position-dependent code: the current context is one TLS load away.
	-fno-pie -fno-plt
	# __FILE__ names a file from the root of the tree, wherever that is.
	"-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
	# Some hundred bytes: a cpu takes longer to begin a string instruction than to write them.
	target_compile_options(skbwalk_flags INTERFACE
		-mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign
		-mmemcpy-strategy=unrolled_loop:128:noalign,libcall:-1:noalign)
	if(SKBWALK_OPTIMIZE MATCHES native)
		# With AVX-512 g++ 12 keeps addresses in mask registers, and waits to have them back.
		target_compile_options(skbwalk_flags INTERFACE -mno-avx512f)
		target_link_options(skbwalk_flags INTERFACE -mno-avx512f)
	endif()
endif()
target_link_options(skbwalk_flags INTERFACE -no-pie)
target_compile_options(skbwalk_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-fcolor-diagnostics>)

if(SKBWALK_NO_TRACE)
	target_compile_definitions(skbwalk_flags INTERFACE SKBWALK_NO_TRACE)
	# What a function takes for its record alone.
	target_compile_options(skbwalk_flags INTERFACE -Wno-unused-parameter -Wno-unused-variable)
	# Without records g++ 12 inlines further, and sees pointers outlive what they never pointed to.
	target_compile_options(skbwalk_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-dangling-pointer>)
endif()

# For the model's own rooms. A packet's way is long, and most of its functions are short and called from one or
# two places: calls are what it costs. What a function records is inlined with it.
add_library(skbwalk_inlining INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_BUILD_TYPE STREQUAL Release AND NOT SKBWALK_PROFILE)
	foreach(limit early-inlining-insns=120 max-inline-insns-auto=120 max-inline-insns-single=300
	              inline-min-speedup=10 inline-unit-growth=100 large-function-insns=6000 large-function-growth=400)
		target_compile_options(skbwalk_inlining INTERFACE --param=${limit})
	endforeach()
	# g++ 12 finds parts of std::string that overlap where none do.
	target_compile_options(skbwalk_inlining INTERFACE -Wno-restrict)
endif()

# Optimisation by a profile: programs of the preset `train` count in the folder `build/profile` how often each
# branch goes where, and `fast` is built by it (`./dev build fast` does both). What no run has met, or has changed
# since, is built as without.
set(SKBWALK_PROFILE "" CACHE STRING "`make` a profile as the programs run, or `use` it")
if(SKBWALK_PROFILE)
	set(profile "${CMAKE_SOURCE_DIR}/build/profile")
	# What is counted, and what a profile has inlined, leads g++ to false reports.
	set(with_profile -fprofile-prefix-path=${CMAKE_BINARY_DIR} -Wno-error)
	if(SKBWALK_PROFILE STREQUAL make)
		list(APPEND with_profile -fprofile-generate=${profile} -fprofile-update=single)
	elseif(SKBWALK_PROFILE STREQUAL use)
		list(APPEND with_profile -fprofile-use=${profile} -fprofile-correction -fprofile-partial-training
		     -Wno-missing-profile -Wno-coverage-mismatch)
		# Nearly all that a run has met counts as hot, and goes into its caller as far as that helps.
		foreach(limit hot-bb-count-ws-permille=999 max-inline-insns-single=1000 max-inline-insns-auto=300
		              inline-min-speedup=2 large-function-insns=10000 large-function-growth=2000
		              large-stack-frame=4096 large-stack-frame-growth=4000)
			list(APPEND with_profile --param=${limit})
		endforeach()
		if(NOT EXISTS "${profile}")
			message(WARNING "there is no profile in ${profile}: `./dev build fast' makes one")
		endif()
	else()
		message(FATAL_ERROR "SKBWALK_PROFILE is `make', `use' or nothing, not `${SKBWALK_PROFILE}'")
	endif()
	target_compile_definitions(skbwalk_flags INTERFACE NDEBUG)
	target_compile_options(skbwalk_flags INTERFACE ${with_profile})
	target_link_options(skbwalk_flags INTERFACE ${with_profile})
endif()

if(SKBWALK_SANITIZE)
	target_compile_options(skbwalk_flags INTERFACE
		-fsanitize=${SKBWALK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
		# What the sanitizers insert leads g++ to false reports of these.
		$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds>)
	target_link_options(skbwalk_flags INTERFACE -fsanitize=${SKBWALK_SANITIZE})
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT SKBWALK_PROFILE STREQUAL use) # it knows nothing of such profiles
	# The sloppiness is what ccache's manual asks for with precompiled headers.
	set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
		CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${CCACHE}")
	target_compile_options(skbwalk_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
	                                               "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
