// SPDX-License-Identifier: GPL-2.0-only
//
// What a scenario says of itself, where scenarios are found, and what makes one unportable. No JSON here.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "sim/scenario.h"
#include "sim/scenario_names.h"
#include "sim/setup.h"
#include "stack/core/sock.h"
#include "stack/kernel/file.h"

namespace skbwalk::sim {

const std::vector<call_description> &all_calls()
{
	static const std::vector<call_description> calls = {
		{call_kind::run, "run", "a set-up command between steps; not a system call"},
		{call_kind::socket, "socket", "as, domain, type, protocol, flags, netns"},
		{call_kind::bind, "bind", "fd, addr"},
		{call_kind::listen, "listen", "fd, backlog"},
		{call_kind::accept, "accept", "fd, as, flags (accept4)"},
		{call_kind::connect, "connect", "fd, addr"},
		{call_kind::send, "send", "fd, data, flags"},
		{call_kind::sendto, "sendto", "fd, data, flags, addr"},
		{call_kind::recv, "recv", "fd, size, flags"},
		{call_kind::recvfrom, "recvfrom", "fd, size, flags; expect addr"},
		{call_kind::read, "read", "fd, size"},
		{call_kind::write, "write", "fd, data"},
		{call_kind::shutdown, "shutdown", "fd, how"},
		{call_kind::close, "close", "fd"},
		{call_kind::setsockopt, "setsockopt", "fd, level, option, value"},
		{call_kind::getsockopt, "getsockopt", "fd, level, option, size; expect value"},
		{call_kind::getsockname, "getsockname", "fd; expect addr"},
		{call_kind::getpeername, "getpeername", "fd; expect addr"},
		{call_kind::poll, "poll", "fds, timeout_ms; expect events"},
		{call_kind::epoll_create, "epoll_create", "as"},
		{call_kind::epoll_ctl, "epoll_ctl", "epoll, op, fd, events"},
		{call_kind::epoll_wait, "epoll_wait", "epoll, max, timeout_ms; expect events"},
		{call_kind::setns, "setns", "netns"},
		{call_kind::sleep, "sleep", "ms"},
		{call_kind::echo, "echo", "fd, bytes, size, after_us: recvfrom and sendto again and again"},
		{call_kind::tasklet, "tasklet", "tasklet, op, work_ns"},
		{call_kind::sched_setaffinity, "sched_setaffinity", "cpus"},
	};
	return calls;
}

std::string_view call_name(call_kind kind)
{
	return std::ranges::find(all_calls(), kind, &call_description::kind)->name;
}

std::string step::text() const
{
	if (call == call_kind::run)
		return command.run;
	std::string out = fmt::format("{} {}", task, call_name(call));
	if (!fd.empty())
		out += " " + fd;
	else if (!as.empty())
		out += " " + as;
	if (addr)
		out += " " + addr->text;
	if (!data.empty() && call != call_kind::setsockopt)
		out += fmt::format(" {}", data.size());
	if (call == call_kind::tasklet)
		out += fmt::format(" {}", tasklet_ops[op]);
	if (call == call_kind::sleep)
		out += fmt::format(" {} ms", static_cast<double>(sleep_ns) / 1e6);
	if (call == call_kind::sched_setaffinity)
		out += fmt::format(" {:x}", cpus);
	if (times > 1)
		out += fmt::format(" {} times", times);
	return out;
}

std::string range::text() const
{
	if (least == most)
		return fmt::format("{}", least);
	if (most == ~u64{0})
		return fmt::format("at least {}", least);
	if (least == 0)
		return fmt::format("at most {}", most);
	return fmt::format("{} to {}", least, most);
}

bool scenario::has_phases() const
{
	return std::ranges::any_of(steps, [](const step &s) { return !s.phase.empty(); });
}

const task_description *scenario::find_task(std::string_view task) const
{
	const auto it = std::ranges::find(tasks, task, &task_description::name);
	return it == tasks.end() ? nullptr : &*it;
}

std::vector<std::string> scenario::unportable() const
{
	std::vector<std::string> why;
	if (hosts.size() > 1)
		why.push_back(fmt::format("/hosts: {} hosts, and a real kernel is one", hosts.size()));
	if (!devices.empty())
		why.emplace_back("/devices: devices that interrupt when the file says so");
	for (const auto &[host, cpus] : hosts)
		if (cpus > 1)
			why.push_back(fmt::format(
				"/hosts/{}: {} cpus, which in a real kernel go as fast as they like", host,
				cpus));
	for (const wire_description &w : wires)
		why.push_back(fmt::format("{}: a wire between {}:{} and {}:{}, and a real kernel has one end",
		                          w.where, w.a.host, w.a.dev, w.b.host, w.b.dev));
	if (syscall_cost_ns || hop_cost_ns || call_cost_ns || !function_cost_ns.empty())
		why.emplace_back("/cost: a real kernel takes the time it takes");
	if (!lsm.empty())
		why.emplace_back("/lsm: a real kernel's security modules are chosen when it boots");
	if (!selinux_policy.empty())
		why.emplace_back("/selinux: a policy inside the file");
	const auto line = [&why](const setup_line &l) {
		if (const std::string reason = why_unportable(l.run); !reason.empty())
			why.push_back(fmt::format("{}: `{}`: {}", l.where, l.run, reason));
	};
	for (const setup_line &l : setup)
		line(l);
	for (const std::vector<step> *list : {&warmup, &steps}) {
		for (const step &s : *list) {
			if (s.call == call_kind::run)
				line(s.command);
			if (s.call == call_kind::echo)
				why.push_back(fmt::format("{}: echo is many system calls, and how many "
				                          "depends on what comes together",
				                          s.where));
			if (s.call == call_kind::tasklet)
				why.push_back(fmt::format("{}: a tasklet is a module's, and no program's",
				                          s.where));
			if (s.call == call_kind::sched_setaffinity)
				why.push_back(fmt::format("{}: which cpu is whose is the model's", s.where));
			if (s.times > 1)
				why.push_back(fmt::format("{}: as often as a task can", s.where));
		}
	}
	return why;
}

// ---- where they are -------------------------------------------------------------------------------------

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders()
{
	std::vector<fs::path> out;
	std::error_code ignored;
	for (const fs::path &p : {fs::path{"scenarios"}, fs::path{SKBWALK_SOURCE_DIR} / "scenarios"})
		if (fs::is_directory(p, ignored) && std::ranges::none_of(out, [&](const fs::path &o) {
			    return fs::equivalent(o, p, ignored);
		    }))
			out.push_back(p);
	return out;
}

std::vector<fs::path> files_below(const fs::path &folder)
{
	std::vector<fs::path> out;
	std::error_code ignored;
	for (const auto &entry : fs::recursive_directory_iterator(folder, ignored))
		if (entry.path().extension() == ".json" && entry.path().filename() != "schema.json")
			out.push_back(entry.path());
	std::ranges::sort(out);
	return out;
}

} // namespace

std::string find_scenario(const std::string &name)
{
	std::error_code ignored;
	if (name.find('/') != std::string::npos || name.ends_with(".json")) {
		if (!fs::exists(name, ignored))
			throw no_scenario(fmt::format("{}: no such file", name));
		if (fs::is_directory(name, ignored))
			throw no_scenario(fmt::format("{}: is a folder, expected a scenario's file", name));
		return name;
	}
	for (const fs::path &folder : folders())
		for (const fs::path &file : files_below(folder))
			if (file.stem() == name)
				return file.string();
	throw no_scenario(fmt::format(
		"{}: no bundled scenario of that name (`skbwalk list scenarios` has them), and no "
		"file, whose name would end in .json",
		name));
}

std::vector<bundled_scenario> bundled_scenarios()
{
	std::vector<bundled_scenario> out;
	for (const fs::path &folder : folders()) {
		for (const fs::path &file : files_below(folder)) {
			if (std::ranges::any_of(
				    out, [&](const bundled_scenario &b) { return b.name == file.stem(); }))
				continue;
			bundled_scenario b{file.stem().string(), "", file.string()};
			try {
				const scenario s = load_scenario(b.file);
				b.about = s.about.substr(0, s.about.find(". "));
				while (b.about.ends_with('.'))
					b.about.pop_back();
			} catch (const std::exception &e) {
				b.about = fmt::format("(broken: {})", e.what());
			}
			out.push_back(std::move(b));
		}
	}
	return out;
}

std::string errno_name(int error)
{
	const std::string_view name = name_of(errno_names(), error);
	return name.empty() ? fmt::format("errno {}", error) : std::string{name};
}

std::string_view tcp_state_name(u8 state)
{
	const std::string_view name = name_of(tcp_state_names(), state);
	return name.empty() ? "TCP_UNKNOWN" : name;
}

std::string poll_names(u32 events)
{
	std::string out;
	for (const named_constant &n : poll_event_names()) {
		if (n.name.starts_with("POLL") || !(events & static_cast<u32>(n.value)))
			continue;
		out += out.empty() ? "" : "|";
		out += n.name;
	}
	return out.empty() ? "0" : out;
}

} // namespace skbwalk::sim
