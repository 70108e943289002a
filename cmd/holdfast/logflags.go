package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
)

// pingTimeout bounds the check that a server answers, before any work is done.
const pingTimeout = 5 * time.Second

// logFlags say where the event log is. They are the settings of the services.
type logFlags struct {
	service.EventLog
	replicationFactor int16
	set               *flag.FlagSet
}

// add adds the flags to a command that reads the log, and to its subcommands.
func (f *logFlags) add(c *cobra.Command) {
	f.set = flag.NewFlagSet(c.Name(), flag.ContinueOnError)
	f.Register(f.set)
	f.set.VisitAll(func(setting *flag.Flag) { setting.Usage += " (" + service.Variable(setting.Name) + ")" })
	c.PersistentFlags().AddGoFlagSet(f.set)
}

// addCluster adds the flags to a command that starts a platform. Without --kafka it is on the embedded broker.
func (f *logFlags) addCluster(c *cobra.Command) {
	f.add(c)
	f.Kafka = ""
	kafka := c.PersistentFlags().Lookup("kafka")
	kafka.DefValue = ""
	kafka.Usage = "brokers of a Kafka cluster to use instead of the embedded one, `HOST:PORT`, comma-separated"
	c.Flags().Int16Var(&f.replicationFactor, "replication-factor", 0,
		"`NUMBER` of replicas of each topic that is created on --kafka (default: one for each broker, at most 3)")
}

// config is how to reach the log. Settings without a flag come from the environment, apart from those in except.
func (f *logFlags) config(c *cobra.Command, except ...string) (eventlog.Config, error) {
	err := fromEnvironment(c, f.set, except...)
	return f.Config(), err
}

// fromEnvironment sets the settings of a command that have no flag on its command line, as services do.
func fromEnvironment(c *cobra.Command, set *flag.FlagSet, except ...string) (err error) {
	set.VisitAll(func(setting *flag.Flag) {
		variable := service.Variable(setting.Name)
		value := os.Getenv(variable)
		if err != nil || value == "" || c.Flags().Changed(setting.Name) || slices.Contains(except, setting.Name) {
			return
		}
		if invalid := setting.Value.Set(value); invalid != nil {
			err = fmt.Errorf("%s: %w", variable, invalid)
		}
	})
	return err
}

// clusterConfig is config for a command that starts a platform, after a broker has answered. With the embedded broker
// the environment is ignored: only --kafka leads to a real cluster, never a variable alone.
func (f *logFlags) clusterConfig(c *cobra.Command, except ...string) (eventlog.Config, error) {
	if f.Kafka == "" {
		return f.Config(), nil
	}
	cfg, err := f.config(c, except...)
	if err != nil {
		return cfg, err
	}
	cfg.ReplicationFactor = f.replicationFactor
	log, err := openLog(c.Context(), cfg)
	if err == nil {
		log.Close()
	}
	return cfg, err
}

// open connects to the log and makes sure that it belongs to a platform.
func (f *logFlags) open(c *cobra.Command) (*eventlog.Client, error) {
	cfg, err := f.config(c)
	if err != nil {
		return nil, err
	}
	log, err := openLog(c.Context(), cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), pingTimeout)
	defer cancel()
	if _, err := log.ReadLayout(ctx); err != nil {
		log.Close()
		return nil, fmt.Errorf("no platform at %s whose topics begin with %q "+
			"(--kafka and --topic-prefix, or HOLDFAST_KAFKA and HOLDFAST_TOPIC_PREFIX, name others): %w",
			strings.Join(cfg.Seeds, ","), cfg.TopicPrefix, err)
	}
	return log, nil
}

// openLog connects to brokers and makes sure that one answers.
func openLog(ctx context.Context, cfg eventlog.Config) (*eventlog.Client, error) {
	log, err := eventlog.Open(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := log.Ping(ctx); err != nil {
		log.Close()
		return nil, fmt.Errorf("no Kafka broker answers at %s (--kafka or HOLDFAST_KAFKA names others): %w",
			strings.Join(cfg.Seeds, ","), err)
	}
	return log, nil
}
