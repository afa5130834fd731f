// SPDX-License-Identifier: GPL-2.0-only
//
// The one precompiled header, shared by all test binaries: gtest and the standard headers that tests use.
// No header of stack/ is here, so that a change there rebuilds only the tests that include it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>
