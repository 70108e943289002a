package engine

import (
	"crypto/subtle"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"

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

// leavesDatabase finds what a statement can do to files without a grant: INTO OUTFILE and FROM INFILE, the function
// file, and a disk that the statement defines. It looks into strings and comments, too: nothing can be hidden from it.
var leavesDatabase = regexp.MustCompile(
	"(?i)\\b(outfile|infile)\\b|\\b(file|disk)[`\"\\s]*(/\\*.*?\\*/\\s*|--.*\\n\\s*)*\\(")

// checkText refuses a statement that would read or write files. The grants of the engine's user refuse everything else
// that leaves the database.
func checkText(sql string) error {
	if found := leavesDatabase.FindString(sql); found != "" {
		return fail(codeAccessDenied, "ACCESS_DENIED", "The embedded ClickHouse reads and writes no files: %q is refused, "+
			"also in a text; send such a text as a parameter or as the data of an INSERT … FORMAT", found)
	}
	return nil
}
