// SPDX-License-Identifier: GPL-2.0-only
//
// Plays a plan (docs/oracle.md) with real system calls on a real kernel, as root, in namespaces of its own:
// its network and mounts are unshared from everybody's, and /run/netns is empty at the start.
//
//   player PLAN FOLDER full|softirqs|plain|packets [--tracefs FOLDER]
//   player --filter FILE [--tracefs FOLDER]      the functions that recording is about
//   player --unfilter [--tracefs FOLDER]
//   player --check [--tracefs FOLDER]            can function_graph be used here?
//
// One process a task, with the task's name. A controller hands them runs of steps in the plan's order: a run
// starts when the step before it, in whatever task, has returned or sleeps; `async` lifts that. A run is the
// following steps of one task and one phase, which then makes them without going back to the controller, so
// that little stands between two calls. A phase begins just after a timer tick; recording is on only from its
// first call to its last. FOLDER/NAME.VARIANT.results has what each step gave, FOLDER/NAME.VARIANT.trace the
// recording.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/player/calls.h"
#include "tools/player/ftrace.h"
#include "tools/player/packets.h"
#include "tools/player/plan.h"

namespace player {

namespace {

constexpr std::int64_t ns_per_ms = 1'000'000;
// After the set-up, as in the model: by then every change of a carrier is told.
constexpr std::int64_t settle_ns = 2148 * ns_per_ms;
// A command between steps, in the model too: by then what its process left behind is freed.
constexpr std::int64_t command_ns = 60 * ns_per_ms;
constexpr std::int64_t patience_ns = 30'000 * ns_per_ms; // for a step that must return
constexpr int look_ms = 3;                               // how often a task is looked at, whether it sleeps
constexpr int looks_asleep = 2;                          // so often in a row it must be found asleep

// The coarse clock moves at ticks only.
void wait_for_tick()
{
	timespec begin{}, now{};
	clock_gettime(CLOCK_MONOTONIC_COARSE, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (begin.tv_nsec == now.tv_nsec);
}

// Ticks since some begin, as timers count them; 0 where the kernel does not say.
unsigned long long jiffies_now()
{
	char line[256];
	unsigned long long out = 0;
	std::FILE *const in = std::fopen("/proc/timer_list", "re");
	while (in && !out && std::fgets(line, sizeof(line), in))
		static_cast<void>(std::sscanf(line, "jiffies: %llu", &out));
	if (in)
		std::fclose(in);
	return out;
}

// What it printed (first the output, then the errors) where somebody asks. False where it fails and must not,
// or the reverse.
bool run_command(const command &c, std::string *printed = nullptr)
{
	std::vector<char *> words;
	for (const std::string &w : c.words)
		words.push_back(const_cast<char *>(w.c_str()));
	words.push_back(nullptr);
	int out[2];
	const int errors = printed ? memfd_create("errors", MFD_CLOEXEC) : -1;
	if (printed && (pipe2(out, O_CLOEXEC) || errors < 0))
		die_errno("pipe");
	const pid_t pid = fork();
	if (!pid) {
		if (c.fails && !printed)
			static_cast<void>(!freopen("/dev/null", "w", stderr));
		if (!printed)
			static_cast<void>(!freopen("/dev/null", "w", stdout));
		else if (dup2(out[1], STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
			die_errno("dup2");
		execvp(words[0], words.data());
		say(c.words[0] + ": " + std::strerror(errno));
		std::_Exit(127);
	}
	int status = 0;
	const auto take = [printed](int from) {
		char part[4096];
		for (ssize_t n; (n = read(from, part, sizeof(part))) > 0;)
			printed->append(part, static_cast<std::size_t>(n));
		close(from);
	};
	if (printed) {
		close(out[1]);
		take(out[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die_errno(c.words[0]);
	if (printed) {
		lseek(errors, 0, SEEK_SET);
		take(errors);
	}
	return (status != 0) == c.fails;
}

std::string text_of(const command &c)
{
	std::string out;
	for (const std::string &w : c.words)
		out += (out.empty() ? "" : " ") + w;
	return out;
}

// Away from everybody's network and everybody's /run/netns.
void move_out()
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		die_errno("unshare");
	if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr))
		die_errno("mount / as private");
	mkdir("/run/netns", 0755);
	// A sysfs shows the devices of the namespace that it was mounted in.
	if (!mount("sysfs", "/sys", "sysfs", 0, nullptr) &&
	    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr))
		umount("/sys"); // the trace is worth more
	if (mount("netns", "/run/netns", "tmpfs", 0, nullptr))
		die_errno("mount on /run/netns");
}

// All on one cpu, as the plan's order wants it.
void stay_on_one_cpu()
{
	cpu_set_t may, one;
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(may), &may))
		die_errno("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
		if (CPU_ISSET(cpu, &may)) {
			CPU_SET(cpu, &one);
			break;
		}
	if (sched_setaffinity(0, sizeof(one), &one))
		die_errno("sched_setaffinity");
}

// ksoftirqd of each cpu, to which an interrupt leaves what it does not finish itself, and the workers of work
// queues, each under its cpu's name: which of them has what is to be done is chance.
std::vector<std::pair<pid_t, std::string>> kernel_threads()
{
	std::vector<std::pair<pid_t, std::string>> out;
	DIR *const proc = opendir("/proc");
	while (const dirent *const entry = proc ? readdir(proc) : nullptr) {
		char name[64] = "";
		const pid_t pid = std::atoi(entry->d_name);
		std::FILE *const in =
			pid > 0 ? std::fopen(("/proc/" + std::to_string(pid) + "/comm").c_str(), "re")
				: nullptr;
		if (in && std::fscanf(in, "%63s", name) == 1)
			if (const std::string_view all = name;
			    all.starts_with("ksoftirqd/") || all.starts_with("kworker/"))
				out.emplace_back(pid, all.substr(0, all.find(':')));
		if (in)
			std::fclose(in);
	}
	if (proc)
		closedir(proc);
	return out;
}

// What the processes share.
constexpr std::size_t tasks_max = 64;
struct shared_state {
	volatile int at[tasks_max];       // by task: the step that it is in
	volatile int sleeping[tasks_max]; // by task: in a step that sleeps on purpose
};

struct order { // a run of steps
	int from, to;
	bool begins, ends; // the phase
};

class stage {
public:
	stage(const plan &p, std::string folder, std::string variant, const std::string &tracefs)
		: plan_(p), stem_(folder + "/" + p.name + "." + variant), trace_(tracefs),
		  records_(variant == "full" || variant == "softirqs"), softirqs_(variant == "softirqs"),
		  packets_wanted_(variant == "packets"), tasks_(p.tasks.size())
	{
		if (p.tasks.size() > tasks_max)
			die("more tasks than can be played");
		const std::size_t room = sizeof(shared_state) + p.steps.size() * sizeof(result);
		void *const at = mmap(nullptr, room, PROT_READ | PROT_WRITE,
		                      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (at == MAP_FAILED)
			die_errno("memory");
		shared_ = static_cast<shared_state *>(at);
		results_ = reinterpret_cast<result *>(shared_ + 1);
	}

	int play()
	{
		stay_on_one_cpu();
		move_out();
		for (const command &c : plan_.setup)
			if (!run_command(c))
				die("set-up: `" + text_of(c) + "' " + (c.fails ? "succeeds" : "fails"));
		spaces_.open_all();
		sleep_ns(settle_ns);
		if (records_)
			trace_.open();
		start_tasks();
		if (records_) {
			std::vector<pid_t> pids;
			for (const actor &a : tasks_)
				pids.push_back(a.pid);
			for (const auto &[pid, name] : kernel_threads())
				pids.push_back(pid);
			trace_.arm(pids, softirqs_);
		}
		if (packets_wanted_)
			packets_.open_all(spaces_);
		look_at_clock();
		play_steps();
		if (records_) {
			trace_.off();
			std::string trailer;
			for (std::size_t t = 0; t < tasks_.size(); ++t)
				trailer += "# pid " + std::to_string(tasks_[t].pid) + " " +
				           plan_.tasks[t].name + "\n";
			for (const auto &[pid, name] : kernel_threads())
				trailer += "# pid " + std::to_string(pid) + " " + name + "\n";
			trace_.save(stem_ + ".trace", trailer);
			trace_.disarm();
		}
		write_results();
		for (const actor &a : tasks_) {
			kill(a.pid, SIGKILL);
			waitpid(a.pid, nullptr, 0);
		}
		return fine_ ? 0 : 1;
	}

private:
	struct actor {
		pid_t pid = 0;
		int orders = -1, answers = -1;
		bool busy = false;
		order in{};
	};

	// ---- a task ---------------------------------------------------------------------------------------

	void perform(caller &c, const order &o, int self)
	{
		const step *const steps = plan_.steps.data();
		c.lay_out(steps + o.from, steps + o.to);
		c.before(steps[o.from]);
		if (o.begins) {
			wait_for_tick();
			if (records_) {
				trace_.on();
				trace_.mark("phase " + steps[o.from].phase);
			}
		}
		for (int i = o.from; i < o.to; ++i) {
			const step &s = steps[i];
			if (i > o.from)
				c.before(s);
			shared_->sleeping[self] = s.what == call::sleep;
			shared_->at[self] = i;
			c.make(s, static_cast<std::size_t>(i - o.from), results_[i]);
			if (o.ends && i == o.to - 1 && records_)
				trace_.off();
			c.after(s);
		}
		for (int i = o.from; i < o.to; ++i)
			c.look(steps[i], static_cast<std::size_t>(i - o.from), results_[i]);
	}

	[[noreturn]] void act(int self, int orders, int answers)
	{
		const task &me = plan_.tasks[static_cast<std::size_t>(self)];
		prctl(PR_SET_NAME, me.name.c_str());
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		if (spaces_.enter(me.netns))
			die_errno("task " + me.name + ": namespace " + me.netns);
		caller c{plan_, spaces_, me.netns};
		order o{};
		static_cast<void>(!write(answers, "r", 1));
		while (read(orders, &o, sizeof(o)) == sizeof(o)) {
			perform(c, o, self);
			if (write(answers, "d", 1) != 1)
				break;
		}
		std::_Exit(0);
	}

	void start_tasks()
	{
		for (std::size_t t = 0; t < tasks_.size(); ++t) {
			int down[2], up[2];
			char byte = 0;
			if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
				die_errno("pipe");
			const pid_t pid = fork();
			if (pid < 0)
				die_errno("fork");
			tasks_[t] = {pid, down[1], up[0], false, {}};
			if (!pid)
				act(static_cast<int>(t), down[0], up[1]);
			if (read(up[0], &byte, 1) != 1)
				die("task " + plan_.tasks[t].name + " does not start");
		}
	}

	// ---- the controller -------------------------------------------------------------------------------

	[[nodiscard]] bool asleep(std::size_t t) const
	{
		char text[512] = "";
		if (shared_->sleeping[t] || shared_->at[t] != tasks_[t].in.to - 1)
			return false;
		const int fd = open(("/proc/" + std::to_string(tasks_[t].pid) + "/stat").c_str(),
		                    O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return false;
		const ssize_t n = read(fd, text, sizeof(text) - 1);
		close(fd);
		const char *const end = n > 0 ? std::strrchr(text, ')') : nullptr;
		return end && end[1] == ' ' && end[2] == 'S';
	}

	// Until the task has done what it was given, or, where that will do, sleeps in the last of it.
	bool settle(std::size_t t, bool sleep_will_do)
	{
		const std::int64_t begin = now_ns();
		int found_asleep = 0;
		actor &a = tasks_[t];
		while (a.busy) {
			pollfd p{a.answers, POLLIN, 0};
			if (::poll(&p, 1, look_ms) == 1) {
				char byte;
				if (read(a.answers, &byte, 1) != 1)
					die("task " + plan_.tasks[t].name + " has died");
				a.busy = false;
				break;
			}
			found_asleep = asleep(t) ? found_asleep + 1 : 0;
			if (sleep_will_do && found_asleep >= looks_asleep)
				return true;
			if (!shared_->sleeping[t] && now_ns() - begin > patience_ns)
				return false;
		}
		return true;
	}

	[[nodiscard]] static bool is_run(const step &s) { return s.what == call::run; }

	void begin_gap()
	{
		if (plan_.gap_ns)
			sleep_ns(plan_.gap_ns);
	}

	void stuck(const step &s)
	{
		say("step " + s.number + " never returns");
		fine_ = false;
	}

	// The tick at which the steps begin, by which a model's timers can be given the same slots.
	void look_at_clock()
	{
		wait_for_tick();
		tick_at_ns_ = now_ns();
		tick_ = jiffies_now();
	}

	[[nodiscard]] unsigned long long first_tick() const
	{
		timespec tick{};
		clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
		for (std::size_t i = 0; tick_ && i < plan_.steps.size(); ++i)
			if (results_[i].begin_ns)
				return tick_ +
				       static_cast<unsigned long long>(
					       (results_[i].begin_ns - tick_at_ns_ + tick.tv_nsec / 2) /
					       tick.tv_nsec);
		return 0;
	}

	void play_steps()
	{
		const std::vector<step> &steps = plan_.steps;
		std::string phase;
		int before = -1; // the task of the step before
		bool warm = true;
		for (std::size_t i = 0; i < steps.size();) {
			const step &s = steps[i];
			if (!s.async && before >= 0 && !settle(static_cast<std::size_t>(before), true))
				return stuck(s);
			if (warm && !s.warm) {
				warm = false;
				packets_.drop();
			}
			if (is_run(s)) {
				command_between(s, i);
				results_[i].state = result::over;
				before = -1;
				++i;
				continue;
			}
			std::size_t end = i + 1;
			const auto same_run = [&s](const step &o) {
				return o.task == s.task && o.phase == s.phase && o.warm == s.warm &&
				       !s.async && !o.async && !is_run(o);
			};
			while (end < steps.size() && same_run(steps[end]))
				++end;
			const auto t = static_cast<std::size_t>(s.task);
			if (!settle(t, false))
				return stuck(s);
			const bool begins = !s.phase.empty() && s.phase != phase;
			if (begins) {
				begin_gap();
				phase = s.phase;
			}
			const bool ends = !phase.empty() && !goes_on(end, phase);
			actor &a = tasks_[t];
			a.in = {static_cast<int>(i), static_cast<int>(end), begins, ends};
			a.busy = true;
			shared_->at[t] = -1;
			if (write(a.orders, &a.in, sizeof(a.in)) != sizeof(a.in))
				die_errno("task " + plan_.tasks[t].name);
			before = s.task;
			if (ends) {
				// What comes next may start while this one sleeps, unless it is the same
				// task's.
				const bool other = end < steps.size() &&
				                   (is_run(steps[end]) || steps[end].task != s.task);
				if (!settle(t, other))
					return stuck(s);
				if (records_)
					trace_.off();
				phase.clear();
			}
			i = end;
		}
		for (std::size_t t = 0; t < tasks_.size(); ++t) {
			if (settle(t, false))
				continue;
			const int at = shared_->at[t];
			stuck(steps[static_cast<std::size_t>(std::max(at, 0))]);
		}
	}

	// Whether the phase has a step from there on, maybe behind commands.
	[[nodiscard]] bool goes_on(std::size_t from, const std::string &phase) const
	{
		while (from < plan_.steps.size() && is_run(plan_.steps[from]))
			++from;
		return from < plan_.steps.size() && plan_.steps[from].phase == phase;
	}

	void command_between(const step &s, std::size_t at)
	{
		const bool inside = records_ && !s.phase.empty();
		if (inside)
			trace_.off();
		const std::int64_t begin = now_ns();
		const bool as_told = run_command(s.run, &printed_[at]);
		sleep_ns(begin + command_ns - now_ns());
		if (!as_told) {
			say("step " + s.number + ": `" + text_of(s.run) + "' " +
			    (s.run.fails ? "succeeds" : "fails") + ": " + printed_[at]);
			fine_ = false;
		}
		if (inside)
			trace_.on();
	}

	void write_results()
	{
		std::FILE *const out = std::fopen((stem_ + ".results").c_str(), "w");
		if (!out)
			die_errno(stem_ + ".results");
		for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
			const step &s = plan_.steps[i];
			const result &r = results_[i];
			if (is_run(s)) {
				const std::string &text = printed_[i];
				std::fprintf(out, "printed\t%s\t%s\t%s\n", s.warm ? "warm" : "step",
				             s.number.c_str(),
				             text.empty() ? "-" : hex(text.data(), text.size()).c_str());
				continue;
			}
			std::string events;
			for (std::uint32_t e = 0; e < r.nr_events; ++e)
				events +=
					(e ? "," : "") +
					escaped(plan_.descriptors[static_cast<std::size_t>(r.events[e].fd)]) +
					"=" + std::to_string(r.events[e].events);
			const bool over = r.state == result::over;
			std::fprintf(out, "%s\t%s\t%s\t%ld\t%d\t%lld\t%u\t%016llx\t%s\t%s\t%s\n",
			             s.warm ? "warm" : "step", s.number.c_str(),
			             over                       ? "returned"
			             : r.state == result::begun ? "waits"
			                                        : "never",
			             over ? r.ret : 0, r.error, static_cast<long long>(r.begin_ns), r.length,
			             static_cast<unsigned long long>(r.hash),
			             r.head_bytes ? hex(r.head, r.head_bytes).c_str() : "-",
			             r.address_bytes ? hex(r.address, r.address_bytes).c_str() : "-",
			             events.empty() ? "-" : events.c_str());
		}
		if (const unsigned long long first = first_tick())
			std::fprintf(out, "tick\t%llu\n", first);
		if (packets_wanted_)
			std::fputs(packets_.text().c_str(), out);
		if (std::fclose(out))
			die_errno(stem_ + ".results");
	}

	const plan &plan_;
	std::string stem_;
	ftrace trace_;
	bool records_, softirqs_, packets_wanted_;
	namespaces spaces_;
	packet_log packets_;
	std::map<std::size_t, std::string> printed_; // by the commands between steps
	std::vector<actor> tasks_;
	shared_state *shared_ = nullptr;
	result *results_ = nullptr;
	unsigned long long tick_ = 0; // jiffies, and when that was read
	std::int64_t tick_at_ns_ = 0;
	bool fine_ = true;
};

int usage()
{
	std::fputs("usage: player PLAN FOLDER full|softirqs|plain|packets [--tracefs FOLDER]\n"
	           "       player --filter FILE [--tracefs FOLDER]\n"
	           "       player --unfilter | --check [--tracefs FOLDER]\n",
	           stderr);
	return 2;
}

int command_line(std::vector<std::string> words)
{
	std::string tracefs = "/sys/kernel/tracing";
	if (words.size() > 2 && words[words.size() - 2] == "--tracefs") {
		tracefs = words.back();
		words.resize(words.size() - 2);
	}
	if (words.size() == 1 && words[0] == "--check") {
		const std::string why = ftrace{tracefs}.refusal();
		if (!why.empty())
			die(why);
		return 0;
	}
	if (words.size() == 1 && words[0] == "--unfilter")
		return ftrace{tracefs}.unfilter() ? 0 : 1;
	if (words.size() == 2 && words[0] == "--filter") {
		std::printf("%d functions\n", ftrace{tracefs}.filter(words[1].c_str()));
		return 0;
	}
	if (words.size() != 3 ||
	    (words[2] != "full" && words[2] != "softirqs" && words[2] != "plain" && words[2] != "packets"))
		return usage();
	const plan p = plan::read(words[0].c_str());
	return stage{p, words[1], words[2], tracefs}.play();
}

} // namespace

} // namespace player

int main(int argc, char **argv) { return player::command_line({argv + 1, argv + argc}); }
