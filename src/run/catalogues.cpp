// SPDX-License-Identifier: Apache-2.0
#include "run/schema.h"
#include "weft/loss/loss.h"
#include "weft/metric/metric.h"
#include "weft/nn/layers.h"
#include "weft/optim/optimizers.h"
#include "weft/optim/schedule.h"

namespace weft {
namespace {

/// A registry as the reader sees it: names and option tables, without the factories.
template <auto& registry>
constexpr Catalogue catalogue(std::string_view kind) {
  return {.kind = kind,
          .names = [] { return registry().names(); },
          .find =
              [](std::string_view name, Catalogue::Entry& entry) {
                const auto* found = registry().find(name);
                if (found != nullptr) entry = {found->doc, found->options};
                return found != nullptr;
              }};
}

}  // namespace

constexpr Catalogue kLayerCatalogue = catalogue<nn::layer_registry>("layer");
constexpr Catalogue kLossCatalogue = catalogue<loss::loss_registry>("loss");
constexpr Catalogue kMetricCatalogue = catalogue<metric::metric_registry>("metric");
constexpr Catalogue kOptimizerCatalogue = catalogue<optim::optimizer_registry>("optimizer");
constexpr Catalogue kScheduleCatalogue = catalogue<optim::schedule_registry>("schedule");

}  // namespace weft
