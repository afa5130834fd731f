// SPDX-License-Identifier: GPL-2.0-only
//
// A function called again and again, which prints the nanoseconds of cpu time of a call: by itself, and under
// a recorder.
#include <cstdio>
#include <ctime>

[[gnu::noinline]] static unsigned leaf(unsigned x)
{
	asm volatile("" : "+r"(x));
	return x * 2654435761U + 1;
}

static double cpu_ns()
{
	timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

int main()
{
	constexpr int calls = 1'000'000;
	unsigned x = 1;
	const double start = cpu_ns();

	for (int i = 0; i < calls; ++i)
		x = leaf(x);
	std::printf("%.3f\n", (cpu_ns() - start) / calls);
	return x == 0;
}
