// SPDX-License-Identifier: GPL-2.0-only
//
// Runs benchmark programs and rivals side by side and compares. bench/rows.tsv has a line for each question:
// whose sample is ours, whose is the rival's, and what their ratio should be. A sample is called
// PROGRAM/NAME; PROGRAM is
//
//   lookup             build/release/bench/lookup_bench
//   transmit@notrace   build/notrace/bench/transmit_bench
//   tap                bench/tap.sh, when there is such a script: `prepare`, then `round` each round;
//                      status 3 says that this machine lacks what it needs, and its last line on stderr what
//   lwip               bench/rivals/lwip.sh, the same
//
// Each prints lines `NAME<TAB>VALUE<TAB>UNIT`. Programs that share a row run in turn, A B A B; one whose
// rows are all its own gets its rounds in one run and takes turns inside. A ratio is the median of the
// rounds' ratios, so that a slow spell of the machine, which meets both sides, tells little.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <sys/utsname.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;

const fs::path root = SKBWALK_SOURCE_DIR;
constexpr std::array marks = {"<!-- bench: begin -->\n", "<!-- bench: end -->\n"};

struct row {
	std::string id, question, rival, ours, theirs, reach, aim, reason;
};

struct series {
	std::string unit;
	std::vector<double> values;
};

struct spread {
	double low, middle, high;
};

spread spread_of(std::vector<double> values)
{
	std::sort(values.begin(), values.end());
	const std::size_t n = values.size();
	return {values.front(), n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2,
	        values.back()};
}

std::vector<std::string> split(const std::string &line, char by)
{
	std::vector<std::string> parts{""};
	for (const char c : line) {
		if (c == by)
			parts.emplace_back();
		else
			parts.back() += c;
	}
	return parts;
}

[[noreturn]] void fail(const std::string &what)
{
	std::cerr << "bench: " << what << '\n';
	std::exit(2);
}

// "0.85" or "1/12".
double number_of(const std::string &text)
{
	const std::size_t slash = text.find('/');
	return slash == std::string::npos
	               ? std::stod(text)
	               : std::stod(text.substr(0, slash)) / std::stod(text.substr(slash + 1));
}

std::vector<row> read_rows(const std::string &name)
{
	std::vector<row> rows;
	std::ifstream in(root / "bench/rows.tsv");
	std::string line;
	for (int number = 1; std::getline(in, line); ++number) {
		if (line.empty() || line[0] == '#')
			continue;
		const std::vector<std::string> cell = split(line, '\t');
		if (cell.size() != 8)
			fail("bench/rows.tsv:" + std::to_string(number) + ": expected 8 columns, here are " +
			     std::to_string(cell.size()));
		if (cell[0].find(name) != std::string::npos)
			rows.push_back(
				{cell[0], cell[1], cell[2], cell[3], cell[4], cell[5], cell[6], cell[7]});
	}
	if (rows.empty())
		fail(name.empty() ? "bench/rows.tsv has no rows"
		                  : "no row of bench/rows.tsv is called " + name);
	return rows;
}

bool is_constant(const std::string &sample) { return sample.starts_with('='); }
std::string program_of(const std::string &sample) { return sample.substr(0, sample.find('/')); }
std::string name_of(const std::string &sample) { return sample.substr(sample.find('/') + 1); }

class bench {
public:
	bench(std::vector<row> rows, int rounds, bool smoke)
		: rows_(std::move(rows)), rounds_(smoke ? 1 : rounds), smoke_(smoke)
	{
		for (const row &r : rows_) {
			wanted_[program_of(r.ours)].insert(name_of(r.ours));
			if (is_constant(r.theirs))
				samples_[r.theirs] = {
					"", std::vector<double>(rounds_, std::stod(r.theirs.substr(1)))};
			else
				wanted_[program_of(r.theirs)].insert(name_of(r.theirs));
		}
	}

	void run()
	{
		for (const auto &[program, names] : wanted_)
			prepare(program);
		std::vector<std::string> together;
		for (const auto &[program, names] : wanted_) {
			if (lacking_.contains(program))
				continue;
			if (alone(program) && !is_script(program))
				run_once(program, rounds_);
			else
				together.push_back(program);
		}
		for (int round = 0; round < rounds_ && !together.empty(); ++round) {
			std::cerr << "bench: round " << round + 1 << " of " << rounds_ << '\n';
			for (const std::string &program : together)
				run_once(program, 1);
		}
	}

	const std::vector<row> &rows() const { return rows_; }
	int rounds() const { return rounds_; }
	const std::map<std::string, series> &samples() const { return samples_; }
	const series *find(const std::string &sample) const
	{
		const auto at = samples_.find(sample);
		return at == samples_.end() ? nullptr : &at->second;
	}
	// Why a row has no ratio; empty when it has one.
	std::string missing(const row &r) const
	{
		for (const std::string &sample : {r.ours, r.theirs}) {
			const auto lacking = lacking_.find(program_of(sample));
			if (lacking != lacking_.end())
				return lacking->first + ": " + lacking->second;
			if (!find(sample))
				return sample + " was not measured";
		}
		return {};
	}
	spread ratio(const row &r) const
	{
		const std::vector<double> &a = find(r.ours)->values, &b = find(r.theirs)->values;
		std::vector<double> ratios;
		for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
			ratios.push_back(a[i] / b[i]);
		return spread_of(ratios);
	}
	// How far the fixed loop's rounds lie apart, in percent of their middle: half of them, and all.
	std::pair<double, double> noise() const
	{
		double half = 0, all = 0;
		for (const auto &[name, s] : samples_) {
			if (name_of(name) != "calibration")
				continue;
			std::vector<double> v = s.values;
			std::sort(v.begin(), v.end());
			const double middle = spread_of(v).middle;
			half = std::max(half, (v[v.size() * 3 / 4] - v[v.size() / 4]) / middle * 100);
			all = std::max(all, (v.back() - v.front()) / middle * 100);
		}
		return {half, all};
	}

private:
	static fs::path script_of(const std::string &program)
	{
		const fs::path ours = root / "bench" / (program + ".sh");
		return fs::exists(ours) ? ours : root / "bench/rivals" / (program + ".sh");
	}
	static bool is_script(const std::string &program) { return fs::exists(script_of(program)); }
	static fs::path path_of(const std::string &program)
	{
		if (is_script(program))
			return script_of(program);
		const std::size_t at = program.find('@');
		const std::string preset = at == std::string::npos ? "release" : program.substr(at + 1);
		return root / "build" / preset / "bench" / (program.substr(0, at) + "_bench");
	}
	bool alone(const std::string &program) const
	{
		return std::all_of(rows_.begin(), rows_.end(), [&](const row &r) {
			return is_constant(r.theirs) ||
			       (program_of(r.ours) == program) == (program_of(r.theirs) == program);
		});
	}

	void prepare(const std::string &program)
	{
		const fs::path path = path_of(program);
		if (!fs::exists(path)) {
			lacking_[program] = path.lexically_relative(root).string() + " is not there";
		} else if (is_script(program)) {
			const std::string log =
				(fs::temp_directory_path() / ("bench-" + program + ".log")).string();
			std::cerr << "bench: preparing " << program << '\n';
			const int status =
				std::system((path.string() + " prepare >" + log + " 2>&1").c_str());
			if (status != 0) {
				std::ifstream in(log);
				std::string line, last = "cannot be prepared";
				while (std::getline(in, line))
					last = line.empty() ? last : line;
				lacking_[program] = last;
			}
			fs::remove(log);
		}
		if (lacking_.contains(program))
			std::cerr << "bench: SKIPPED " << program << ": " << lacking_[program] << '\n';
	}

	void run_once(const std::string &program, int rounds)
	{
		if (lacking_.contains(program))
			return;
		std::string command = path_of(program).string();
		if (is_script(program)) {
			command += " round";
			for (const std::string &name : wanted_[program])
				command += ' ' + name;
		} else {
			command += " --rounds " + std::to_string(rounds) + (smoke_ ? " --smoke" : "") +
			           " --filter '";
			const char *between = "";
			for (const std::string &name : wanted_[program]) {
				command += std::string(between) + '^' + name + "(/|$)";
				between = "|";
			}
			command += '\'';
		}
		FILE *out = popen(command.c_str(), "r");
		std::array<char, 1024> line;
		while (out && std::fgets(line.data(), line.size(), out)) {
			const std::vector<std::string> cell = split(std::string(line.data()), '\t');
			if (cell.size() != 3)
				continue;
			series &s = samples_[program + '/' + cell[0]];
			s.unit = cell[2].substr(0, cell[2].find('\n'));
			s.values.push_back(std::stod(cell[1]));
		}
		const int status = out ? pclose(out) : -1;
		if (status != 0) {
			const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
			lacking_[program] = "it ended with status " + std::to_string(code);
			std::cerr << "bench: SKIPPED " << program << ": " << lacking_[program] << '\n';
		}
	}

	std::vector<row> rows_;
	int rounds_;
	bool smoke_;
	std::map<std::string, std::set<std::string>> wanted_; // names by program
	std::map<std::string, std::string> lacking_;          // why, by program
	std::map<std::string, series> samples_;
};

std::string digits(double value)
{
	std::ostringstream out;
	out.setf(std::ios::fixed);
	out.precision(value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 4);
	out << value;
	return out.str();
}

std::string text_of(const series &s)
{
	const spread v = spread_of(s.values);
	if (v.low == v.high)
		return digits(v.middle) + " " + s.unit;
	return digits(v.middle) + " " + s.unit + " (" + digits(v.low) + "-" + digits(v.high) + ")";
}

bool more_is_better(const row &r) { return r.aim != "-" && number_of(r.aim) > number_of(r.reach); }

// A goal below 1 from above, or, where the aim is the larger, from below.
const char *verdict(const row &r, double ratio)
{
	if (r.aim == "-")
		return "told";
	const double reach = number_of(r.reach), aim = number_of(r.aim);
	const auto holds = [&](double goal) { return more_is_better(r) ? ratio >= goal : ratio <= goal; };
	return holds(aim) ? "aim" : holds(reach) ? "reached" : "missed";
}

std::string cpu_name()
{
	std::ifstream in("/proc/cpuinfo");
	std::string line;
	while (std::getline(in, line))
		if (line.starts_with("model name"))
			return line.substr(line.find(": ") + 2);
	return "an unknown cpu";
}

std::string today()
{
	const std::time_t now = std::time(nullptr);
	std::array<char, 32> text{};
	std::strftime(text.data(), text.size(), "%Y-%m-%d", std::gmtime(&now));
	return text.data();
}

std::string machine()
{
	utsname name{};
	uname(&name);
	return cpu_name() + ", Linux " + name.release + ", g++ " + std::to_string(__GNUC__) + '.' +
	       std::to_string(__GNUC_MINOR__) + '.' + std::to_string(__GNUC_PATCHLEVEL__);
}

std::string noise_text(const bench &b)
{
	const auto [half, all] = b.noise();
	if (all == 0)
		return "not measured by these programs";
	return "a fixed loop differed by " + digits(half) + " % over the middle half of the rounds, by " +
	       digits(all) + " % over all";
}

void print(const bench &b)
{
	std::cout << machine() << "\nmedian (least-most) of " << b.rounds()
		  << " rounds; noise: " << noise_text(b) << "\n\n";
	for (const row &r : b.rows()) {
		std::cout << r.id << ": " << r.question << '\n';
		const std::string missing = b.missing(r);
		if (!missing.empty()) {
			std::cout << "    SKIPPED, " << missing << "\n";
			continue;
		}
		const spread ratio = b.ratio(r);
		std::cout << "    ours   " << text_of(*b.find(r.ours)) << "\n    rival  "
			  << text_of(*b.find(r.theirs)) << "  " << r.rival << "\n    ratio  "
			  << digits(ratio.middle) << " (" << digits(ratio.low) << "-" << digits(ratio.high)
			  << ")  reach " << r.reach << ", aim " << r.aim
			  << (more_is_better(r) ? ", more is better: " : ": ") << verdict(r, ratio.middle)
			  << '\n';
	}
}

void write_json(const bench &b, const std::string &file)
{
	nlohmann::ordered_json out;
	out["date"] = today();
	out["machine"] = machine();
	out["rounds"] = b.rounds();
	out["noise_percent"] = {{"middle_half", b.noise().first}, {"all", b.noise().second}};
	for (const auto &[name, s] : b.samples())
		out["samples"][name] = {{"unit", s.unit}, {"values", s.values}};
	for (const row &r : b.rows()) {
		nlohmann::ordered_json one = {{"id", r.id},     {"question", r.question}, {"rival", r.rival},
		                              {"ours", r.ours}, {"theirs", r.theirs},     {"reach", r.reach},
		                              {"aim", r.aim}};
		const std::string missing = b.missing(r);
		if (missing.empty()) {
			const spread ratio = b.ratio(r);
			one["ratio"] = {{"median", ratio.middle}, {"min", ratio.low}, {"max", ratio.high}};
			one["verdict"] = verdict(r, ratio.middle);
		} else {
			one["skipped"] = missing;
		}
		out["rows"].push_back(std::move(one));
	}
	std::ofstream(file) << out.dump(2) << '\n';
}

std::string first_cell(const std::string &line)
{
	const std::vector<std::string> cell = split(line, '|');
	if (cell.size() < 3)
		return {};
	const std::size_t from = cell[1].find_first_not_of(' '), to = cell[1].find_last_not_of(' ');
	return from == std::string::npos ? std::string() : cell[1].substr(from, to - from + 1);
}

constexpr std::string_view remarks_heading = "What holds a row back";

// What stands between the marks, by headings: a table for each machine, then what is to be said of the rows.
std::vector<std::pair<std::string, std::string>> sections_of(const std::string &text)
{
	std::vector<std::pair<std::string, std::string>> sections;
	std::istringstream in(text);

	for (std::string line; std::getline(in, line);)
		if (line.starts_with("### "))
			sections.emplace_back(line.substr(4), "");
		else if (!sections.empty())
			sections.back().second += line + '\n';
	return sections;
}

// This machine's table. A row that this run did not measure keeps its line, with its date.
std::string table_of(const bench &b, const std::string &before)
{
	std::map<std::string, std::string> kept;
	std::istringstream old(before);

	for (std::string line; std::getline(old, line);)
		if (line.starts_with("| ") && !first_cell(line).empty())
			kept[first_cell(line)] = line;

	std::ostringstream out;

	out << "Last run: " << today() << ", " << machine() << ", medians of " << b.rounds()
	    << " rounds; its noise: " << noise_text(b) << ".\n\n"
	    << "| row | ours | rival | ratio (least-most) | reach | aim | | measured |\n|---|---|---|---|---|---|---|---|\n";
	for (const row &r : read_rows("")) {
		if (b.missing(r).empty()) {
			const spread ratio = b.ratio(r);

			out << "| " << r.id << " | " << text_of(*b.find(r.ours)) << " | "
			    << text_of(*b.find(r.theirs)) << " | " << digits(ratio.middle) << " ("
			    << digits(ratio.low) << "-" << digits(ratio.high)
			    << (more_is_better(r) ? "), more is better | " : ") | ") << r.reach << " | "
			    << r.aim << " | " << verdict(r, ratio.middle) << " | " << today() << " |\n";
		} else if (kept.contains(r.id)) {
			out << kept[r.id] << '\n';
		} else {
			out << "| " << r.id << " | | | not measured yet | " << r.reach << " | " << r.aim
			    << " | | |\n";
		}
	}
	return out.str();
}

// Other machines' tables stay as they are.
void write_document(const bench &b, const fs::path &file)
{
	std::stringstream all;
	all << std::ifstream(file).rdbuf();
	const std::string text = all.str();
	const std::size_t from = text.find(marks[0]), to = text.find(marks[1]);
	if (from == std::string::npos || to == std::string::npos)
		fail(file.string() + ": the marks of the tables are not there");

	auto sections = sections_of(text.substr(from, to - from));
	std::erase_if(sections, [](const auto &s) { return s.first == remarks_heading; });
	auto mine = std::ranges::find(sections, cpu_name(), [](const auto &s) { return s.first; });
	if (mine == sections.end())
		mine = sections.insert(mine, {cpu_name(), ""});
	mine->second = table_of(b, mine->second) + '\n';

	std::ostringstream out;
	out << marks[0];
	for (const auto &[heading, body] : sections)
		out << "### " << heading << '\n' << body;
	out << "### " << remarks_heading << '\n';
	for (const row &r : read_rows(""))
		out << "- **" << r.id << "**: " << r.question << ", beside " << r.rival << '.'
		    << (r.reason.empty() ? "" : " " + r.reason) << '\n';
	std::ofstream(file) << text.substr(0, from) + out.str() + text.substr(to);
}

} // namespace

int main(int argc, char **argv)
{
	std::string name, json;
	int rounds = 5;
	bool write = false, smoke = false;
	CLI::App app("Benchmarks beside their rivals, and the ratios (docs/performance.md).", "./dev bench");
	app.add_option("NAME", name, "only the rows whose name holds this");
	app.add_option("--rounds", rounds, "how often each side is measured, in turn")
		->check(CLI::Range(1, 1000));
	app.add_option("--json", json, "write every sample and ratio to this file");
	app.add_flag("--write", write, "write this machine's table in docs/performance.md");
	app.add_flag("--smoke", smoke, "one short round with small sizes: shows that all works");
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &e) {
		const int status = app.exit(e);
		return status == 0 ? 0 : 2;
	}
	bench b(read_rows(name), rounds, smoke);
	b.run();
	print(b);
	if (!json.empty())
		write_json(b, json);
	if (write && !smoke)
		write_document(b, root / "docs/performance.md");
	return 0;
}
