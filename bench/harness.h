// SPDX-License-Identifier: GPL-2.0-only
//
// What every benchmark program shares. A program is one question: it registers its benchmarks with Google
// Benchmark in set_up(), each with SetItemsProcessed, and the main here runs them round by round (A B A B
// ...) and prints one line a benchmark and round, in nanoseconds of the thread's CPU time an item:
//
//   hit/1M/ours<TAB>431.2<TAB>ns
//
// bench/report.cpp reads these lines, of ours and of rivals. Beside them comes `calibration`, a fixed loop of
// arithmetic: how much it differs from round to round is the machine's noise.
//
//   X_bench [--rounds N] [--smoke] [--filter REGEX]   measure
//   X_bench --count [NAME]                            run what was given to counted() once, for callgrind
#pragma once

#include <functional>
#include <string>

#include <benchmark/benchmark.h>

#include "stack/kernel/types.h"

namespace skbwalk::bench {

// Is this a run of seconds that only shows that it works? Programs then take small sizes.
bool smoke();

// A program's own: registers benchmarks and things to count. Not called twice.
void set_up();

// A figure that is not a time an item: printed at once, once a round if called from a benchmark.
void sample(const std::string &name, double value, const char *unit);

// Runs this benchmark in a process of its own, of memory that nothing else has used and without other
// threads; true in that one. Its samples are printed then.
[[nodiscard]] bool alone(benchmark::State &state, const char *name);

// Something of which instructions are counted (bench/instructions.sh): prepare() is not counted and returns
// what is; that does `items` things.
void counted(const std::string &name, u64 items, std::function<std::function<void()>()> prepare);

// Cpu time that this thread has had, and memory that this process holds.
double cpu_ns();
double resident_bytes();

// Memory of 2 MiB pages where the machine has them, zeroed; never given back.
void *huge_arena(std::size_t bytes);

// A stream of numbers that is the same everywhere (splitmix64).
class numbers {
public:
	explicit numbers(u64 seed) : state_(seed) {}
	u64 operator()()
	{
		u64 z = state_ += 0x9e3779b97f4a7c15;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		return z ^ (z >> 31);
	}

private:
	u64 state_;
};

} // namespace skbwalk::bench
