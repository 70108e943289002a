package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// settings of PostgreSQL: for a machine that it has for itself with the load generator. What is not here is as Debian
// ships it, with fsync and full_page_writes on. synchronous_commit is that of each peer's connections.
const settings = `
listen_addresses = ''
max_connections = 200
shared_buffers = 1GB
huge_pages = try
wal_buffers = 64MB
wal_compression = lz4
max_wal_size = 16GB
min_wal_size = 2GB
checkpoint_timeout = 30min
random_page_cost = 1.1
jit = off
logging_collector = off
log_checkpoints = off
log_min_messages = error
log_min_error_statement = panic
`

// readyPause is the pause between attempts to reach a server that starts.
const readyPause = 20 * time.Millisecond

// cluster is a PostgreSQL that runs during the whole comparison. Each cell has a database of its own.
type cluster struct {
	process *process
	socket  string
	count   int
}

// findPostgres is the folder with the programs of PostgreSQL.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	versions, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian does not put them into the path
	if err != nil || len(versions) == 0 {
		return "", errors.New("PostgreSQL is not installed, which most peers need: " +
			"apt-get install postgresql, or leave them out with --systems")
	}
	return filepath.Dir(versions[len(versions)-1]), nil
}

// startCluster makes a PostgreSQL in a folder and starts it.
func startCluster(ctx context.Context, dir string) (*cluster, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	c := &cluster{socket: filepath.Join(dir, "postgres")}
	data := filepath.Join(c.socket, "data")
	if err := os.Mkdir(c.socket, 0o700); err != nil {
		return nil, err
	}
	credential, err := ownUser(dir, c.socket)
	if err != nil {
		return nil, err
	}
	command := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, program), args...)
		cmd.Dir = c.socket
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setpgid: true}
		return cmd
	}
	initdb := command("initdb", "-D", data, "--username=postgres", "--auth=trust", "--no-locale", "--encoding=UTF8")
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	conf, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = conf.WriteString(settings)
	if err := errors.Join(err, conf.Close()); err != nil {
		return nil, err
	}
	if c.process, err = startProcess(ctx, "PostgreSQL", command("postgres", "-D", data, "-k", c.socket)); err != nil {
		return nil, err
	}
	if err := c.await(ctx); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// ownUser makes a folder that of the user as whom PostgreSQL runs: it refuses to run as root. Others run it as
// themselves.
func ownUser(dir, folder string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nobody else is needed
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and Debian's user for it is missing: %w", err)
	}
	uid, err1 := strconv.Atoi(owner.Uid)
	gid, err2 := strconv.Atoi(owner.Gid)
	// It must pass the folder above its own.
	err = errors.Join(err1, err2, os.Chmod(dir, 0o711), os.Chown(folder, uid, gid)) //nolint:gosec // passing is all
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// await waits until connections are accepted.
func (c *cluster) await(ctx context.Context) error {
	for end := time.Now().Add(startTimeout); ; time.Sleep(readyPause) {
		conn, err := pgx.Connect(ctx, c.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.process.ended:
			return c.process.failed()
		default:
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL does not serve: %w", err)
		}
	}
}

func (c *cluster) dsn(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", c.socket, database)
}

// exec runs statements outside of any database of a cell.
func (c *cluster) exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, c.dsn("postgres"))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// create makes a database. What earlier ones have left to write is written before, so that it is not this one's work.
func (c *cluster) create(ctx context.Context) (database string, err error) {
	c.count++
	database = fmt.Sprintf("cell_%d", c.count)
	return database, c.exec(ctx, "CREATE DATABASE "+database, "CHECKPOINT")
}

func (c *cluster) drop(ctx context.Context, database string) error {
	return c.exec(context.WithoutCancel(ctx), "DROP DATABASE "+database+" WITH (FORCE)")
}

// stop ends it at once: its data is thrown away.
func (c *cluster) stop() error { return c.process.stop(syscall.SIGQUIT) }
