package analytics_test

func runAsProjector() {}
