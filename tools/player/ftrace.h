// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's function_graph tracer: which functions, which tasks, on and off, and the text at the end. All
// phases of a scenario stay in the ring, each behind a marker; the text is read when everything is over, so
// that reading costs no phase any time.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace player {

class ftrace {
public:
	explicit ftrace(std::string folder) : folder_(std::move(folder)) {}

	// Why it cannot be used; empty: it can.
	[[nodiscard]] std::string refusal() const;
	// Functions that the file names, one a line, are recorded, and no others. Returns how many.
	int filter(const char *file);
	bool unfilter();
	// The files that the tasks write to, which inherit them.
	void open();
	// Ready to record these tasks and the idle task; with `softirqs`, only handle_softirqs and what it
	// calls.
	void arm(const std::vector<pid_t> &pids, bool softirqs);
	void on() const;
	void off() const;
	void mark(const std::string &text) const;
	// All that was recorded, and what the ring lost.
	void save(const std::string &file, const std::string &trailer);
	// As it was found.
	void disarm();

private:
	[[nodiscard]] bool put(const char *file, const std::string &text) const;
	void must(const char *file, const std::string &text) const;
	[[nodiscard]] std::string get(const std::string &file) const;

	std::string folder_;
	std::string on_before_, kb_before_;
	std::vector<std::string> options_before_; // all this as it was, for disarm()
	int on_ = -1, marker_ = -1;
};

} // namespace player
