// SPDX-License-Identifier: GPL-2.0-only
//
// After every test: no skb, sock, dst or neighbour is left. main.cpp's listener calls leaks_taken() when a
// test has ended and its fixture is gone, and fails the test by name if a line comes back.
//
// The stack gives the answer (stack/core/leaks.h): one line per kind of object that a host, ended on this
// thread since the last call, still held when it ended ("skbuff_head_cache: 2 left in host h", "skb freed as
// NOT_SPECIFIED by a destructor: 1"). Hosts that still live when the test ends are the test's own fault: they
// count as one line too.
#pragma once

#include <string>
#include <vector>

namespace skbwalk::test {

/// What was left since the last call; empty is good.
std::vector<std::string> leaks_taken();

} // namespace skbwalk::test
