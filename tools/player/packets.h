// SPDX-License-Identifier: GPL-2.0-only
//
// What goes by on every device of every namespace, by packet sockets. They add functions to each packet's
// path, so a run that looks at packets records no calls.
#pragma once

#include <string>
#include <vector>

#include "tools/player/calls.h"

namespace player {

class packet_log {
public:
	// A socket in each namespace; comes back to the present one.
	void open_all(namespaces &spaces);
	// What has gone by is forgotten.
	void drop();
	// "packet NETNS DEVICE NANOSECONDS HEX" lines: what each device has sent, on loopback what it has
	// received.
	[[nodiscard]] std::string text() const;

private:
	struct one {
		std::string netns;
		int fd;
	};
	std::vector<one> sockets_;
};

} // namespace player
