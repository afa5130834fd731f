// SPDX-License-Identifier: GPL-2.0-only
//
// What can be looked at when a function is entered: fields of the skb, the sock and the device that the call
// is about, by name (`skb.len`, `sk.snd_nxt`, `peer.name`). A field is read as it is, a number or a name,
// while the run goes on; it becomes text afterwards.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stack/trace/trace.h"

namespace skbwalk::sim {

struct raw_value {
	u64 number = 0;
	char text[16] = {}; // of fields that are names
	bool there = false; // the call is about no such object, or the object has no such field
};

enum class field_form : u8 { decimal, hex, ipv4, ethertype, tcp_state, text };

struct probe_field {
	std::string_view name;
	std::string_view label; // as the documents print it: "skblen=%s bytes"; empty: NAME=%s
	field_form form;
	raw_value (*read)(const trace::objects &o);
};
[[nodiscard]] std::span<const probe_field> probe_fields();
// By name; null: there is none.
[[nodiscard]] const probe_field *probe_field_by_name(std::string_view name);

[[nodiscard]] std::string value_text(const probe_field &field, const raw_value &value);
[[nodiscard]] std::string labelled_text(const probe_field &field, const raw_value &value);

// The names among `known` that look most like `asked`, at most three; for error messages.
[[nodiscard]] std::vector<std::string_view> alike(std::string_view asked,
                                                  std::span<const std::string_view> known);

} // namespace skbwalk::sim
