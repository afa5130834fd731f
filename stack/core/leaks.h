// SPDX-License-Identifier: GPL-2.0-only
//
// What tests ask after each of them: is an skb, sock, dst or neighbour left?
#pragma once

#include <string>
#include <vector>

namespace skbwalk {

// One line for each kind of object that a host, ended on this thread since the last call, still held; hosts
// that live are the last line. Forgets the lines.
std::vector<std::string> take_leaks();

} // namespace skbwalk
