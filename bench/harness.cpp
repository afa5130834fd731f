// SPDX-License-Identifier: GPL-2.0-only
//
// The main of every benchmark program: rounds, calibration, the lines that come out, and single runs for
// callgrind.
#include "bench/harness.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>

#include <sys/mman.h>
#include <unistd.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT static_cast<void>(0)
#endif

namespace skbwalk::bench {

namespace {

struct countable {
	u64 items;
	std::function<std::function<void()>()> prepare;
};

bool is_smoke = false;
std::map<std::string, countable> countables;

// One line a benchmark, as it ends.
class line_reporter : public benchmark::BenchmarkReporter {
public:
	bool ReportContext(const Context &) override { return true; }
	void ReportRuns(const std::vector<Run> &runs) override
	{
		for (const Run &run : runs) {
			if (run.error_occurred) {
				std::fprintf(stderr, "%s: %s\n", run.run_name.function_name.c_str(),
				             run.error_message.c_str());
				failed_ = true;
				continue;
			}
			const auto rate = run.counters.find("items_per_second");
			if (rate == run.counters.end()) // it printed samples of its own
				continue;
			sample(run.run_name.function_name, 1e9 / rate->second.value, "ns");
		}
	}
	bool failed() const { return failed_; }

private:
	bool failed_ = false;
};

// Dependent multiplications: the same work on every machine and in every round.
void calibration(benchmark::State &state)
{
	constexpr int steps = 1 << 20;
	u64 x = 1;
	for (auto _ : state) {
		for (int i = 0; i < steps; ++i) {
			x = x * 6364136223846793005 + 1442695040888963407;
			benchmark::DoNotOptimize(x);
		}
	}
	state.SetItemsProcessed(state.iterations() * steps);
}

int count_once(const char *name)
{
	if (!name) {
		for (const auto &[known, what] : countables)
			std::printf("%s\t%llu\n", known.c_str(), static_cast<unsigned long long>(what.items));
		return 0;
	}
	const auto at = countables.find(name);
	if (at == countables.end()) {
		std::fprintf(stderr, "nothing to count is called %s\n", name);
		return 2;
	}
	const std::function<void()> run = at->second.prepare();
	run(); // warm: what a first call allocates is not what is counted
	CALLGRIND_TOGGLE_COLLECT;
	run();
	CALLGRIND_TOGGLE_COLLECT;
	return 0;
}

} // namespace

bool smoke() { return is_smoke; }

bool alone(benchmark::State &state, const char *name)
{
	constexpr const char *mark = "SKBWALK_BENCH_ALONE";
	if (std::getenv(mark))
		return true;
	const std::string self = std::filesystem::read_symlink("/proc/self/exe");

	setenv(mark, "1", 1);
	std::fflush(stdout);
	if (std::system(("'" + self + (is_smoke ? "' --smoke" : "' --rounds 1") + " --filter '^" + name +
	                 "' | grep '^" + name + "'")
	                        .c_str()))
		state.SkipWithError("it cannot be run alone");
	unsetenv(mark);
	return false;
}

void sample(const std::string &name, double value, const char *unit)
{
	std::printf("%s\t%.9g\t%s\n", name.c_str(), value, unit);
	std::fflush(stdout);
}

void counted(const std::string &name, u64 items, std::function<std::function<void()>()> prepare)
{
	countables[name] = {items, std::move(prepare)};
}

double cpu_ns()
{
	timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

double resident_bytes()
{
	std::ifstream in("/proc/self/statm");
	double size = 0, resident = 0;
	in >> size >> resident;
	return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void *huge_arena(std::size_t bytes)
{
	constexpr std::size_t huge = 2 << 20;
	const std::size_t size = (bytes + huge - 1) & ~(huge - 1);
	void *at = mmap(nullptr, size + huge, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED) {
		std::perror("mmap");
		std::exit(3);
	}
	const auto start = (reinterpret_cast<std::uintptr_t>(at) + huge - 1) & ~(huge - 1);
	at = reinterpret_cast<void *>(start);
	madvise(at, size, MADV_HUGEPAGE);
	return at;
}

} // namespace skbwalk::bench

int main(int argc, char **argv)
{
	using namespace skbwalk;
	int rounds = 5;
	const char *filter = ".*";
	const char *count = nullptr;
	bool counting = false;

	for (int i = 1; i < argc; ++i) {
		const std::string arg = argv[i];
		if (arg == "--smoke") {
			bench::is_smoke = true;
			rounds = 1;
		} else if (arg == "--rounds" && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
			rounds = std::atoi(argv[++i]);
		} else if (arg == "--filter" && i + 1 < argc) {
			filter = argv[++i];
		} else if (arg == "--count") {
			counting = true;
			if (i + 1 < argc)
				count = argv[++i];
		} else {
			std::cerr << argv[0]
				  << ": usage: [--rounds N] [--smoke] [--filter REGEX] | --count [NAME]\n";
			return 2;
		}
	}
	if (counting) {
		bench::is_smoke = true;
		bench::set_up();
		return bench::count_once(count);
	}

	std::string min_time = bench::is_smoke ? "--benchmark_min_time=0.001" : "--benchmark_min_time=0.1";
	std::string program = argv[0];
	char *flags[] = {program.data(), min_time.data(), nullptr};
	int flag_count = 2;
	benchmark::Initialize(&flag_count, flags);
	benchmark::RegisterBenchmark("calibration", bench::calibration);
	bench::set_up();

	bench::line_reporter reporter;
	for (int round = 0; round < rounds; ++round)
		benchmark::RunSpecifiedBenchmarks(&reporter, std::string("calibration|") + filter);
	return reporter.failed() ? 1 : 0;
}
