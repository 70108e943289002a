package run

import (
	"flag"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/httpapi"
)

// AccessUsage says what the setting --access is.
const AccessUsage = "`WHO` may use the API: off (everybody who reaches it) or keys (who has an API key with the " +
	"scope of the operation; holdfast keys create makes one)"

// AccessVar adds the setting --access.
func AccessVar(fs *flag.FlagSet, mode *string) {
	fs.StringVar(mode, "access", string(access.Off), AccessUsage)
}

// WithAccess returns the service with the setting --access, which was checked.
func (s Service) WithAccess(mode string) Service {
	s.Access, _ = access.ParseMode(mode) // an empty word is off
	return s
}

// openKeys opens the keys that requests need; nil: the service asks for none.
func (s *Service) openKeys() (*access.Keys, error) {
	if s.Access == access.ByKey {
		cfg := s.Log
		cfg.Logger, cfg.Registerer = s.Logger, s.Registry
		return access.Open(cfg)
	}
	if s.Access == access.Off && !httpapi.IsLoopback(s.Listen) {
		s.Logger.Warn("the API asks nobody for a key, and other machines may reach it: start it with --access keys, or "+
			"see to it that only those reach it who may change and read everything", "listen", s.Listen)
	}
	return nil, nil
}
