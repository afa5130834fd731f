// SPDX-License-Identifier: GPL-2.0-only
//
// The notes of leaks.h. They outlive the hosts that they are about, so they are kept by the thread.
#include "stack/kernel/leaks.h"

#include <sstream>
#include <utility>

#include "stack/kernel/slab.h"

namespace skbwalk {

namespace {

thread_local std::vector<std::string> notes;

} // namespace

// not traced: for tests
int &live_hosts()
{
	static thread_local int live = 0;

	return live;
}

// not traced: for tests
void note_leak(std::string what) { notes.push_back(std::move(what)); }

// not traced: for tests
void note_slab_leaks(host &h)
{
	std::istringstream report(slab_report(h));

	for (std::string line; std::getline(report, line);) {
		const std::size_t number = line.rfind(' ') + 1;

		note_leak(line.substr(0, number - 1) + ": " + line.substr(number) + " left in host " +
		          h.name);
	}
}

// not traced: for tests
const std::vector<std::string> &noted_leaks() { return notes; }

// not traced: for tests
std::vector<std::string> take_noted_leaks() { return std::exchange(notes, {}); }

} // namespace skbwalk
