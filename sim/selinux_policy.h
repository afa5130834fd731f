// SPDX-License-Identifier: GPL-2.0-only
//
// A policy for SELinux from statements of its language, as checkpolicy reads them: the part that a scenario
// needs. docs/scenario-format.md lists the statements.
#pragma once

#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "stack/security/selinux/ss/policydb.h"

namespace skbwalk::sim {

struct bad_policy : std::runtime_error {
	bad_policy(std::size_t at, const std::string &what) : std::runtime_error(what), statement(at) {}
	std::size_t statement; // which one, from 0
};

// Types, users and roles need not be declared: who is named exists. Throws bad_policy.
[[nodiscard]] std::unique_ptr<policydb> read_policy(std::span<const std::string> statements);
// "user:role:type[:range]", of a type that the policy has; nothing when it is something else. User and role
// are added where they are new.
[[nodiscard]] std::optional<security_context> context_of(policydb &p, const std::string &text);

} // namespace skbwalk::sim
