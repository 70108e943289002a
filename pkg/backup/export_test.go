package backup

// InChunksOf has an export write chunks of at most so many records.
func InChunksOf(records int, cfg ExportConfig) ExportConfig {
	cfg.chunkRecords = records
	return cfg
}
