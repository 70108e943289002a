package engine

import (
	"crypto/subtle"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/internal/link"
)

// Files of the engine's configuration, in the data directory.
const (
	configName = "config.xml"
	usersName  = "users.xml"
)

// configText names the file of users.
const configText = `<clickhouse>
    <users_config>%s</users_config>
</clickhouse>
`

// usersText has the engine's only user. What is not granted the engine refuses, with ClickHouse's ACCESS_DENIED. The
// user may do with databases and tables what an application does. It has no grant on sources: table functions and
// engines that read or write files, addresses, other servers or programs (file, url, s3, remote, executable, mysql, …)
// are refused, and so are BACKUP, functions and dictionaries that somebody defines, and named collections.
const usersText = `<clickhouse>
    <profiles>
        <default>
            <constraints>
                <!-- texts that the engine would read as files, as addresses or as SQL -->
                <dialect><const/></dialect>
                <format_schema><const/></format_schema>
                <format_schema_source><const/></format_schema_source>
                <output_format_schema><const/></output_format_schema>
                <format_template_row><const/></format_template_row>
                <format_template_resultset><const/></format_template_resultset>
                <additional_table_filters><const/></additional_table_filters>
                <additional_result_filter><const/></additional_result_filter>
            </constraints>
        </default>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password/>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW,
                    CREATE TEMPORARY TABLE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, KILL QUERY ON *.*</query>
                <query>GRANT TABLE ENGINE ON MergeTree, TABLE ENGINE ON ReplacingMergeTree,
                    TABLE ENGINE ON SummingMergeTree, TABLE ENGINE ON AggregatingMergeTree,
                    TABLE ENGINE ON CollapsingMergeTree, TABLE ENGINE ON VersionedCollapsingMergeTree,
                    TABLE ENGINE ON Memory, TABLE ENGINE ON Null, TABLE ENGINE ON View,
                    TABLE ENGINE ON MaterializedView</query>
            </grants>
        </default>
    </users>
</clickhouse>
`

// writeConfig writes the configuration into the data directory, and returns the path of its main file.
func writeConfig(dir string) (string, error) {
	users, config := filepath.Join(dir, usersName), filepath.Join(dir, configName)
	if err := os.WriteFile(users, []byte(usersText), 0o600); err != nil {
		return "", fmt.Errorf("the engine's users: %w", err)
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, configText, html.EscapeString(users)), 0o600); err != nil {
		return "", fmt.Errorf("the engine's configuration: %w", err)
	}
	return config, nil
}

// authorized reports whether a request has the password, in any of the places where ClickHouse's clients put it: basic
// authentication, headers of its own, parameters of the URL.
func (g *gateway) authorized(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	if !ok {
		user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
	}
	if query := r.URL.Query(); !ok && password == "" {
		user, password = query.Get("user"), query.Get("password")
	}
	rightUser := user == "" || user == link.User
	return subtle.ConstantTimeCompare([]byte(password), []byte(g.password)) == 1 && rightUser
}

// What a statement can do to files without a grant. The text is searched as it is, with its strings and comments, so
// that nothing can be hidden: a harmless word in a string is refused, too.
var (
	// fileWords are INTO OUTFILE, FROM INFILE, and the function file, which can be named without being called, as in
	// arrayMap(file, …).
	fileWords = regexp.MustCompile(`(?i)\b(outfile|infile|file)\b`)
	// ownDisk is a disk that the statement defines: SETTINGS disk = disk(type = local, path = …).
	ownDisk = regexp.MustCompile("(?i)\\bdisk[`\"\\s]*\\(")
	// escapedName is a quoted name with an escape, which could be any of these words: `+"`"+`\x66ile`+"`"+`.
	escapedName = regexp.MustCompile("[`\"][^`\"']*\\\\x")
	// engineName is the engine of a statement that makes a table or a database.
	makesTable = regexp.MustCompile(`(?i)\b(create|attach|replace)\b`)
	engineName = regexp.MustCompile("(?i)\\bengine\\b[\\s=`\"']*(\\w*)")
)

// allowedEngines are those that keep their data in the data directory, or keep none. The grants refuse engines with a
// source of their own, such as URL and MySQL; others, such as EmbeddedRocksDB and Executable, need no grant.
var allowedEngines = map[string]bool{
	"mergetree": true, "replacingmergetree": true, "summingmergetree": true, "aggregatingmergetree": true,
	"collapsingmergetree": true, "versionedcollapsingmergetree": true, "memory": true, "null": true, "atomic": true,
	"view": true, "materializedview": true, "log": true, "tinylog": true, "stripelog": true,
}

// checkText refuses a statement that would leave the database in a way that needs no grant. The grants of the engine's
// user refuse every other way.
func checkText(sql string) error {
	for _, pattern := range []*regexp.Regexp{fileWords, ownDisk, escapedName} {
		if found := pattern.FindString(sql); found != "" {
			return fail(codeAccessDenied, "ACCESS_DENIED", "The embedded ClickHouse reads and writes no files: %q is "+
				"refused, also in a text; send such a text as a parameter, or as the data of an INSERT … FORMAT", found)
		}
	}
	if !makesTable.MatchString(sql) {
		return nil
	}
	for _, found := range engineName.FindAllStringSubmatch(sql, -1) {
		if !allowedEngines[strings.ToLower(found[1])] {
			return fail(codeAccessDenied, "ACCESS_DENIED",
				"The embedded ClickHouse has engines of the MergeTree family, Memory, Log and Null, and not %s", found[1])
		}
	}
	return nil
}
