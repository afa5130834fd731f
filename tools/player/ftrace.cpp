// SPDX-License-Identifier: GPL-2.0-only
//
// Writes to the files of tracefs, in the order that they need: function_graph's own options exist only while
// it is the current tracer, and a filter is set by index, since by name each costs a walk over all functions.
#include "tools/player/ftrace.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <string_view>
#include <unistd.h>

#include "tools/player/plan.h"

namespace player {

namespace {

constexpr const char *buffer_kb = "65536";

// Without the compiler's suffixes: `ip_rcv_core.isra.0` is asked for as ip_rcv_core.
std::string_view plain(std::string_view symbol) { return symbol.substr(0, symbol.find('.')); }

} // namespace

bool ftrace::put(const char *file, const std::string &text) const
{
	const int fd = ::open((folder_ + "/" + file).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return false;
	// Lists are taken a word a write.
	std::size_t done = 0;
	while (done < text.size()) {
		const ssize_t n = write(fd, text.data() + done, text.size() - done);
		if (n <= 0)
			break;
		done += static_cast<std::size_t>(n);
	}
	const int error = errno;
	close(fd);
	errno = error;
	return done == text.size();
}

void ftrace::must(const char *file, const std::string &text) const
{
	if (!put(file, text))
		die_errno(folder_ + "/" + file + ": writing \"" + text.substr(0, 40) + "\"");
}

std::string ftrace::get(const std::string &file) const
{
	const int fd = ::open((folder_ + "/" + file).c_str(), O_RDONLY | O_CLOEXEC);
	std::string out;
	char part[1 << 16];
	for (ssize_t n; fd >= 0 && (n = read(fd, part, sizeof(part))) > 0;)
		out.append(part, static_cast<std::size_t>(n));
	if (fd >= 0)
		close(fd);
	return out;
}

std::string ftrace::refusal() const
{
	if (access((folder_ + "/trace").c_str(), R_OK | W_OK))
		return folder_ + "/trace: " + std::strerror(errno);
	if (get("available_tracers").find("function_graph") == std::string::npos)
		return folder_ + "/available_tracers: function_graph is not among them";
	const std::string current = get("current_tracer");
	if (!current.starts_with("nop"))
		return folder_ + "/current_tracer: " + current.substr(0, current.find('\n')) +
		       " is in use, by somebody else";
	return {};
}

int ftrace::filter(const char *file)
{
	std::FILE *const in = std::fopen(file, "r");
	if (!in)
		die_errno(file);
	std::set<std::string> wanted;
	char line[512];
	while (std::fgets(line, sizeof(line), in)) {
		line[std::strcspn(line, " \t\n")] = 0;
		wanted.insert(line);
	}
	std::fclose(in);

	const std::string all = get("available_filter_functions");
	std::string indices;
	int index = 0, found = 0;
	for (std::size_t at = 0; at < all.size();) {
		const std::size_t end = std::min(all.find('\n', at), all.size());
		std::string_view name{all.data() + at, end - at};
		name = name.substr(0, name.find_first_of(" \t"));
		at = end + 1;
		++index;
		if (!wanted.contains(std::string{plain(name)}))
			continue;
		indices += std::to_string(index) + " ";
		++found;
	}
	if (!found)
		die(folder_ + "/available_filter_functions: none of the functions in " + file + " is there");
	must("set_ftrace_filter", indices);
	return found;
}

bool ftrace::unfilter() { return put("set_ftrace_filter", "\n"); }

void ftrace::open()
{
	on_ = ::open((folder_ + "/tracing_on").c_str(), O_WRONLY | O_CLOEXEC);
	marker_ = ::open((folder_ + "/trace_marker").c_str(), O_WRONLY | O_CLOEXEC);
	if (on_ < 0 || marker_ < 0)
		die_errno(folder_ + "/tracing_on, trace_marker");
}

// "0", or of a buffer that nobody has used yet "7 (expanded: 1408)".
static std::string number_of(const std::string &text)
{
	const std::size_t expanded = text.find("expanded: ");
	const std::string rest = expanded == std::string::npos ? text : text.substr(expanded + 10);
	return rest.substr(0, rest.find_first_not_of("0123456789"));
}

void ftrace::arm(const std::vector<pid_t> &pids, bool softirqs)
{
	std::string list;
	for (const pid_t pid : pids)
		list += std::to_string(pid) + " ";
	on_before_ = number_of(get("tracing_on"));
	kb_before_ = number_of(get("buffer_size_kb"));
	must("tracing_on", "0");
	must("buffer_size_kb", buffer_kb);
	must("set_ftrace_pid", list + "0");
	must("set_graph_function", softirqs ? "handle_softirqs" : "\n");
	must("current_tracer", "function_graph");
	options_before_.clear();
	for (const std::string option : {"nofuncgraph-irqs", "funcgraph-proc", "funcgraph-tail",
	                                 "funcgraph-abstime", "funcgraph-duration"}) {
		const std::string name = option.starts_with("no") ? option.substr(2) : option;
		options_before_.push_back(get("options/" + name).starts_with("0") ? "no" + name : name);
		must("trace_options", option);
	}
	must("trace", "\n");
}

void ftrace::on() const
{
	if (write(on_, "1", 1) != 1)
		die_errno("tracing_on");
}

void ftrace::off() const
{
	if (write(on_, "0", 1) != 1)
		die_errno("tracing_on");
}

void ftrace::mark(const std::string &text) const
{
	if (write(marker_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
		die_errno("trace_marker");
}

void ftrace::save(const std::string &file, const std::string &trailer)
{
	std::FILE *const out = std::fopen(file.c_str(), "w");
	const int in = ::open((folder_ + "/trace").c_str(), O_RDONLY | O_CLOEXEC);
	static char part[1 << 16];

	if (!out || in < 0)
		die_errno(file);
	bool whole = true;
	for (ssize_t n; (n = read(in, part, sizeof(part))) > 0;)
		whole = whole &&
		        std::fwrite(part, 1, static_cast<std::size_t>(n), out) == static_cast<std::size_t>(n);
	close(in);
	long lost = 0;
	const long cpus = sysconf(_SC_NPROCESSORS_CONF);
	for (long cpu = 0; cpu < cpus; ++cpu) {
		const std::string stats = get("per_cpu/cpu" + std::to_string(cpu) + "/stats");
		for (const char *what : {"\noverrun: ", "\ncommit overrun: ", "\ndropped events: "})
			if (const std::size_t at = stats.find(what); at != std::string::npos)
				lost += std::atol(stats.c_str() + at + std::strlen(what));
	}
	std::fprintf(out, "%s# lost %ld\n", trailer.c_str(), lost);
	if (std::fclose(out) || !whole)
		die_errno(file);
}

void ftrace::disarm()
{
	static_cast<void>(put("tracing_on", "0"));
	for (const std::string &option : options_before_)
		static_cast<void>(put("trace_options", option));
	static_cast<void>(put("current_tracer", "nop"));
	static_cast<void>(put("set_graph_function", "\n"));
	static_cast<void>(put("set_ftrace_pid", "\n"));
	static_cast<void>(put("trace", "\n"));
	if (!kb_before_.empty())
		static_cast<void>(put("buffer_size_kb", kb_before_));
	if (!on_before_.empty())
		static_cast<void>(put("tracing_on", on_before_));
	if (on_ >= 0)
		close(on_);
	if (marker_ >= 0)
		close(marker_);
	on_ = marker_ = -1;
}

} // namespace player
