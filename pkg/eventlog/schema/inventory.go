package schema

import eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"

// UpgradeInventory upgrades a change of stock to its newest version. No change of stock has an older version yet; its
// first upgrade is added here, as UpgradeOrder has them, and every reader calls it already.
func UpgradeInventory(*eventv1.InventoryEvent) {}
