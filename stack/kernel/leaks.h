// SPDX-License-Identifier: GPL-2.0-only
//
// What hosts left behind when they ended, for the check after every test: a line for each kind of object, of
// this thread.
#pragma once

#include <string>
#include <vector>

namespace skbwalk {

struct host;

void note_leak(std::string what);
// Objects of its slab caches and pages that the host has not got back. Called at its end.
void note_slab_leaks(host &h);
// Hosts of this thread that live.
int &live_hosts();
// What was noted; the second forgets it.
const std::vector<std::string> &noted_leaks();
std::vector<std::string> take_noted_leaks();

} // namespace skbwalk
