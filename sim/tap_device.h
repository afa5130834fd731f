// SPDX-License-Identifier: GPL-2.0-only
//
// A real TAP interface of the machine: made or opened, with an address on the machine's side if wanted.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace skbwalk::sim {

// What the machine lacks: no permission, no /dev/net/tun. The text says which.
struct tap_refused : std::runtime_error {
	using std::runtime_error::runtime_error;
};

// "10.9.0.1/24", in the host's byte order. Throws std::invalid_argument that says what was expected.
struct interface_address {
	explicit interface_address(const std::string &text);
	std::uint32_t ip = 0;
	unsigned bits = 0;
};

class tap_device {
public:
	// Makes the interface, or opens one that exists and has no other user. Throws tap_refused.
	explicit tap_device(const std::string &name);
	~tap_device();
	tap_device(const tap_device &) = delete;
	tap_device &operator=(const tap_device &) = delete;

	[[nodiscard]] int fd() const { return fd_; }
	[[nodiscard]] const std::string &name() const { return name_; }
	// Gives the machine's end an address ("10.9.0.1/24") and takes it up. Throws tap_refused.
	void configure(const std::string &address) const;

private:
	int fd_ = -1;
	std::string name_;
};

} // namespace skbwalk::sim
