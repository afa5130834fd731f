// SPDX-License-Identifier: GPL-2.0-only
//
// Scenario files: wrong ones, made of the bundled ones with bytes, words and values changed, cut, doubled,
// nested, and noise; and right ones (scenario_maker.h). Each is read; a wrong one is refused with a message
// or accepted, and nothing else, a right one is accepted. Of the wrong ones that are accepted one in some is
// run, of the right ones each, to whatever end; of these, now and then one twice, and the counters must
// agree. A crash stops the program: what was read last is in the file that it names.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "sim/runner.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "stack/kernel/random.h"
#include "tests/fuzz/fuzz_main.h"
#include "tests/fuzz/scenario_maker.h"

namespace skbwalk::fuzz {

namespace {

using namespace skbwalk::sim;

constexpr unsigned hang_seconds = 60; // of real time, for one file

std::string slurp(const std::string &path)
{
	std::ifstream in{path, std::ios::binary};
	return {std::istreambuf_iterator<char>{in}, {}};
}

class maker {
public:
	explicit maker(u64 seed) : random_{seed, "fuzz-scenarios"}
	{
		for (const bundled_scenario &b : bundled_scenarios())
			texts_.push_back(slurp(b.file));
		for (const std::string &t : texts_)
			collect(t);
	}

	std::string next()
	{
		const u32 what = random_.below(100);
		if (what < 3)
			return noise();
		if (what < 5)
			return nested();
		std::string t = texts_[random_.below(static_cast<u32>(texts_.size()))];
		const u32 changes = what < 60 ? 1 : 1 + random_.below(6);
		for (u32 i = 0; i < changes; ++i)
			change(t);
		return t;
	}

private:
	// Strings with their quotation marks, numbers, true and false: what can stand in each other's place.
	void collect(const std::string &t)
	{
		for (std::size_t at = 0; at < t.size();) {
			const std::size_t n = token(t, at);
			if (n)
				words_.push_back(t.substr(at, n));
			at += n ? n : 1;
		}
	}

	static std::size_t token(const std::string &t, std::size_t at)
	{
		if (t[at] == '"') {
			std::size_t end = at + 1;
			while (end < t.size() && t[end] != '"')
				end += t[end] == '\\' ? 2 : 1;
			return std::min(end + 1, t.size()) - at;
		}
		std::size_t end = at;
		while (end < t.size() &&
		       (std::isalnum(static_cast<unsigned char>(t[end])) || t[end] == '-' || t[end] == '.'))
			++end;
		return end - at;
	}

	std::string wild()
	{
		static const char *const odd[] = {"0",
		                                  "-1",
		                                  "1",
		                                  "4294967295",
		                                  "4294967296",
		                                  "2147483648",
		                                  "-2147483649",
		                                  "9223372036854775807",
		                                  "18446744073709551615",
		                                  "18446744073709551616",
		                                  "1e400",
		                                  "-0",
		                                  "0.5",
		                                  "1e9",
		                                  "null",
		                                  "true",
		                                  "false",
		                                  "[]",
		                                  "{}",
		                                  "\"\"",
		                                  "\" \"",
		                                  "\"\\u0000\"",
		                                  "\"\\ud800\"",
		                                  "\"\xff\xfe\"",
		                                  "[[]]",
		                                  "{\"\":{}}",
		                                  "\"0.0.0.0:0\"",
		                                  "\"255.255.255.255:65535\"",
		                                  "\"[::]:1\"",
		                                  "\"ip link add\"",
		                                  "\"ip addr add 1.2.3.4/33 dev lo\"",
		                                  "\"ip netns add a b\"",
		                                  "\"ip link add v1 type veth peer name v1\"",
		                                  "\"sysctl -w a=b\"",
		                                  "\"sysctl -w net.ipv4.tcp_rmem=0 0 0\"",
		                                  "\"ip link del lo\"",
		                                  "\"ip link set lo mtu 1\"",
		                                  "\"ip link set v1 mtu 68\"",
		                                  "\"ip route add default via 127.0.0.1\"",
		                                  "\"ip addr flush dev v1\"",
		                                  "\"'\"",
		                                  "\"ip netns del b\"",
		                                  "\"ip link set v1 down\"",
		                                  "\"sysctl -w net.ipv4.ip_forward=99999999999\"",
		                                  "\"sysctl -w net.ipv4.tcp_wmem=1 1 1\"",
		                                  "\"sysctl -w net.ipv4.tcp_retries2=255\"",
		                                  "\"ip neigh flush all\"",
		                                  "\"ip link set v1 netns b\""};
		if (random_.below(2))
			return words_[random_.below(static_cast<u32>(words_.size()))];
		return odd[random_.below(std::size(odd))];
	}

	void change(std::string &t)
	{
		if (t.empty())
			return;
		const auto at = random_.below(static_cast<u32>(t.size()));
		const auto n = 1 + random_.below(random_.below(4) ? 8 : 400);
		switch (random_.below(10)) {
		case 0:
			t[at] = static_cast<char>(random_.below(256));
			break;
		case 1:
			t.erase(at, n);
			break;
		case 2:
			t.insert(at, t.substr(random_.below(static_cast<u32>(t.size())), n));
			break;
		case 3:
			if (!random_.below(4))
				t.resize(at);
			break;
		case 4:
			t.insert(at, wild());
			break;
		default: { // a value or a word for another
			std::size_t from = at;
			while (from < t.size() && !token(t, from))
				++from;
			if (from < t.size())
				t.replace(from, token(t, from), wild());
			break;
		}
		}
	}

	std::string noise()
	{
		std::string t(random_.below(400), '\0');
		for (char &c : t)
			c = random_.below(2) ? static_cast<char>(random_.below(256))
			                     : "{}[]\",:0 "[random_.below(9)];
		return t;
	}

	std::string nested()
	{
		static const char *const begins[] = {"[", "{\"a\":", "{\"setup\":[",
		                                     "{\"steps\":[{\"send\":"};
		const char *begin = begins[random_.below(std::size(begins))];
		std::string t;
		for (u32 i = 1 + random_.below(random_.below(20) ? 50 : 100'000); i; --i)
			t += begin;
		if (random_.below(2))
			t.append(random_.below(100), ']');
		return t;
	}

	random_stream random_;
	std::vector<std::string> texts_, words_;
};

// True when the file was accepted as far as its set-up.
bool run_it(const scenario &s, u64 seed, std::string *counters = nullptr)
{
	world::options o;
	o.seed = seed;
	o.trace_records_max = 1;
	world w{o};
	bool set_up = false;
	{
		runner r{w, s};
		try {
			r.set_up();
			set_up = true;
			const run_report report = r.run();
			const std::string text_of_counters = r.counters_text();
			if (counters)
				*counters = fmt::format("{}{}", report.virtual_ns, text_of_counters);
		} catch (const bad_scenario &) {}
		r.end_tasks();
	}
	const std::vector<std::string> left = w.end();
	if (!left.empty()) {
		std::exit(fail("leaves " + left[0]));
	}
	return set_up;
}

struct tally {
	u64 accepted = 0, ran = 0, set_up = 0, right = 0;
};

// One of the bundled ones, changed.
void try_wrong(u64 number, u64 one_in, tally &t)
{
	try {
		const scenario s = parse_scenario(input, "fuzz.json");
		if (++t.accepted % one_in == 0) {
			++t.ran;
			t.set_up += run_it(s, number);
		}
	} catch (const bad_scenario &e) {
		if (std::string_view{e.what()}.find("fuzz.json") != std::string_view::npos)
			return;
		std::exit(fail(fmt::format("a message without the file's name: {}", e.what())));
	}
}

void try_right(u64 number, tally &t)
{
	std::string counters, again;
	try {
		const scenario s = parse_scenario(input, "fuzz.json");
		++t.right;
		t.set_up += run_it(s, number, &counters);
		if (number % 16)
			return;
		run_it(s, number, &again);
	} catch (const bad_scenario &e) {
		std::exit(fail(fmt::format("refused, with nothing wrong: {}", e.what())));
	}
	if (counters != again)
		std::exit(fail("two runs differ"));
}

int run(u64 seed, u64 count, u64 one_in, u64 right_percent)
{
	maker m{seed};
	dice which{seed, "fuzz-which"};
	tally t;

	watch_inputs("scenarios_fuzz", "json", hang_seconds);
	for (u64 i = 0; i < count; ++i) {
		const bool right = which.percent(static_cast<u32>(right_percent));
		next_input(right ? scenario_maker{seed, i}.make() : m.next());
		try {
			right ? try_right(i, t) : try_wrong(i, one_in, t);
		} catch (const std::exception &e) {
			return fail(fmt::format("not an error of scenarios: {}", e.what()));
		}
		if (count > 100'000 && i % 50'000 == 0)
			std::fprintf(stderr, "%llu files so far\n", static_cast<unsigned long long>(i));
	}
	end_of_inputs();
	fmt::print(
		"{} files: {} right ones, all run; of the others {} accepted, {} run; {} past their set-up\n",
		count, t.right, t.accepted, t.ran, t.set_up);
	return 0;
}

} // namespace

} // namespace skbwalk::fuzz

int main(int argc, char **argv)
{
	using namespace skbwalk::fuzz;
	skbwalk::u64 seed = 1, count = 1'000'000, one_in = 20, right = 20;
	const numeric_option numbers[] = {
		{"--seed", &seed, "of everything that is random"},
		{"--count", &count, "files"},
		{"--run", &one_in, "of the wrong files that are accepted, run one in so many", 1},
		{"--right", &right, "percent of the files are right ones"}};

	return fuzz_main(argc, argv, "Scenario files, right and wrong, against the loader and the model.",
	                 numbers, [&] { return run(seed, count, one_in, right); });
}
