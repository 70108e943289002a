package backup

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// ImportConfig is what an import needs.
type ImportConfig struct {
	Client *eventlog.Client
	// By says who imports.
	By string
	// Observe is told how many records of how many are in the log; nil: nobody is.
	Observe func(done, total int64)
}

// Imported says what an import did.
type Imported struct {
	Header *Header `json:"header"`
	Footer Footer  `json:"footer"`
	// Incarnation is that of the log from now on, and Position where it ends.
	Incarnation eventlog.Incarnation `json:"incarnation"`
	Position    string               `json:"position"`
	// ResumedRecords were in the log already, from an import that was ended.
	ResumedRecords int64 `json:"resumed_records,omitempty"`
}

// Check reads a whole archive, and returns a *DamagedError if it is not complete or was altered.
func Check(in io.Reader) (*Header, Footer, error) {
	r := newSectionReader(in)
	var header *Header
	var footer Footer
	if err := r.start(); err != nil {
		return nil, footer, err
	}
	for chunks := 0; ; {
		kind, payload, sum, err := r.next()
		if err != nil {
			return nil, footer, err
		}
		switch {
		case kind == kindHeader && header == nil:
			header = &Header{}
			if err := json.Unmarshal(payload, header); err != nil {
				return nil, footer, r.damaged("its header cannot be read: " + err.Error())
			}
			if err := header.validate(); err != nil {
				return nil, footer, r.damaged(err.Error())
			}
		case kind == kindChunk && header != nil:
			chunks++
		case kind == kindFooter && header != nil:
			if err := json.Unmarshal(payload, &footer); err != nil {
				return nil, footer, r.damaged("its footer cannot be read: " + err.Error())
			}
			if footer.SHA256 != sum || footer.Chunks != chunks {
				return nil, footer, r.damaged("it was altered: its SHA-256 is wrong, or chunks are missing")
			}
			if _, err := r.in.Peek(1); !errors.Is(err, io.EOF) {
				return nil, footer, r.damaged("something comes behind its end")
			}
			return header, footer, nil
		default:
			return nil, footer, r.damaged(fmt.Sprintf("a section %q is out of place", kind))
		}
	}
}

// ImportFile restores an archive into a platform without data. The archive is checked as a whole before anything is
// written. An import that was ended goes on where it was.
func ImportFile(ctx context.Context, cfg ImportConfig, path string) (*Imported, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	defer file.Close()
	header, footer, err := Check(bufio.NewReaderSize(file, 1<<20))
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	restorer, err := cfg.Client.BeginRestore(ctx, header.ID, header.Layouts, cfg.By)
	if err != nil {
		return nil, err
	}
	defer restorer.Close()
	im := &importing{cfg: cfg, header: header, footer: footer, restorer: restorer}
	return im.run(ctx, file)
}

// importing is one import.
type importing struct {
	cfg      ImportConfig
	header   *Header
	footer   Footer
	restorer *eventlog.Restorer
	places   *places
}

func (im *importing) run(ctx context.Context, in io.Reader) (*Imported, error) {
	resumed := im.restorer.State.Records
	var err error
	if im.places, err = newPlaces(im.header, im.restorer.State); err != nil {
		return nil, err
	}
	if err := im.writeChunks(ctx, in); err != nil {
		return nil, err
	}
	state := &im.restorer.State
	if state.Records != im.footer.Records {
		return nil, fmt.Errorf("the archive has %d records, and %d were written: this is a bug; the platform cannot be used",
			im.footer.Records, state.Records)
	}
	im.places.end(state)
	quarantines, decisions, err := im.places.translate(im.header)
	if err != nil {
		return nil, err
	}
	if err := im.restorer.Finish(ctx, quarantines, decisions, im.header.Catalog); err != nil {
		return nil, err
	}
	return &Imported{
		Header: im.header, Footer: im.footer, Incarnation: state.Incarnation, ResumedRecords: resumed,
		Position: state.Incarnation.Text(eventlog.PositionOf(im.places.ends)),
	}, nil
}

// writeChunks writes the chunks that are not in the log yet.
func (im *importing) writeChunks(ctx context.Context, in io.Reader) error {
	r := newSectionReader(in)
	if err := r.start(); err != nil {
		return err
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer decoder.Close()
	for chunk := 0; ; {
		kind, payload, _, err := r.next()
		if err != nil {
			return err
		}
		if kind == kindFooter {
			return nil
		}
		if kind != kindChunk {
			continue
		}
		if chunk++; chunk <= im.restorer.State.Chunks {
			continue
		}
		raw, err := decoder.DecodeAll(payload, nil)
		if err != nil {
			return r.damaged("a chunk cannot be read: " + err.Error())
		}
		if err := im.writeChunk(ctx, raw); err != nil {
			return err
		}
	}
}

// writeChunk writes a chunk in one transaction, with how far the import is then.
func (im *importing) writeChunk(ctx context.Context, raw []byte) error {
	in := recordReader{b: raw, topics: im.header.Topics}
	var recs []*eventlog.Record
	var old []int64
	for rec, more := in.next(); more; rec, more = in.next() {
		recs, old = append(recs, &rec), append(old, rec.Offset)
	}
	if in.failed {
		return errors.New("a chunk of the archive cannot be read, although its checksum is right: this is a bug of the " +
			"program that wrote it, or of this one")
	}
	err := im.restorer.Write(ctx, recs, func(s *eventlog.RestoreState) {
		for i, rec := range recs {
			im.places.written(rec.TopicPartition, old[i], rec.Offset)
		}
		s.Chunks++
		s.Records += int64(len(recs))
		im.places.note(s)
	})
	if err == nil && im.cfg.Observe != nil {
		im.cfg.Observe(im.restorer.State.Records, im.footer.Records)
	}
	return err
}

// places translates the offsets that decisions refer to. Offsets of a restored log are others: the transactions that
// wrote it were others, and their markers have offsets.
type places struct {
	// wanted are the ends to translate, ascending; those before known are.
	wanted map[eventlog.TopicPartition][]int64
	known  map[eventlog.Place]int64 // New is 0 in the key
	ends   eventlog.Offsets         // of what is restored
}

func newPlaces(h *Header, s eventlog.RestoreState) (*places, error) {
	p := &places{wanted: map[eventlog.TopicPartition][]int64{}, known: map[eventlog.Place]int64{}}
	position, err := eventlog.ParsePosition(s.Position)
	if err != nil {
		return nil, err
	}
	p.ends = position.Offsets()
	for _, place := range s.Places {
		key := place
		key.New = 0
		p.known[key] = place.New
	}
	want := func(tp eventlog.TopicPartition, end int64) {
		if _, known := p.known[placeOf(tp, end)]; !known {
			p.wanted[tp] = append(p.wanted[tp], end)
		}
	}
	for _, q := range h.Quarantines {
		tp := eventlog.TopicPartition{Topic: q.Topic, Partition: q.Partition}
		want(tp, q.Offset)
		want(tp, q.Offset+1)
	}
	for _, decision := range h.Insights {
		_, err := rewritePositions(decision, func(text string) (string, error) {
			position, err := eventlog.ParsePosition(text)
			for tp, end := range position.Offsets() {
				want(tp, end)
			}
			return text, err
		})
		if err != nil {
			return nil, err
		}
	}
	for tp, ends := range p.wanted {
		slices.Sort(ends)
		p.wanted[tp] = slices.Compact(ends)
	}
	return p, nil
}

func placeOf(tp eventlog.TopicPartition, end int64) eventlog.Place {
	return eventlog.Place{Topic: tp.Topic, Partition: tp.Partition, Old: end}
}

// written takes a record into account, with its former offset and its offset in this log.
func (p *places) written(tp eventlog.TopicPartition, old, offset int64) {
	for wanted := p.wanted[tp]; len(wanted) > 0 && wanted[0] <= old; wanted = p.wanted[tp] {
		p.known[placeOf(tp, wanted[0])] = p.ends[tp]
		p.wanted[tp] = wanted[1:]
	}
	p.ends[tp] = offset + 1
}

// end translates what lies behind the last record.
func (p *places) end(s *eventlog.RestoreState) {
	for tp, wanted := range p.wanted {
		for _, end := range wanted {
			p.known[placeOf(tp, end)] = p.ends[tp]
		}
	}
	clear(p.wanted)
	p.note(s)
}

// note writes down what is known.
func (p *places) note(s *eventlog.RestoreState) {
	s.Position = eventlog.PositionOf(p.ends).String()
	s.Places = s.Places[:0]
	for place, offset := range p.known {
		place.New = offset
		s.Places = append(s.Places, place)
	}
	slices.SortFunc(s.Places, func(a, b eventlog.Place) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Old, b.Old))
	})
}

// translate returns the decisions with the offsets of this log. The decision about a record that the archive does not
// have is left out: it was taken about a record behind the ends.
func (p *places) translate(h *Header) ([]eventlog.Quarantine, [][]byte, error) {
	var quarantines []eventlog.Quarantine
	for _, q := range h.Quarantines {
		tp := eventlog.TopicPartition{Topic: q.Topic, Partition: q.Partition}
		before, after := p.known[placeOf(tp, q.Offset)], p.known[placeOf(tp, q.Offset+1)]
		if after == before {
			continue
		}
		q.Offset = after - 1
		quarantines = append(quarantines, q)
	}
	var decisions [][]byte
	for _, decision := range h.Insights {
		rewritten, err := rewritePositions(decision, p.translatePosition)
		if err != nil {
			return nil, nil, err
		}
		decisions = append(decisions, rewritten)
	}
	return quarantines, decisions, nil
}

func (p *places) translatePosition(text string) (string, error) {
	position, err := eventlog.ParsePosition(text)
	if err != nil {
		return "", err
	}
	offsets := eventlog.Offsets{}
	for tp, end := range position.Offsets() {
		offsets[tp] = p.known[placeOf(tp, end)]
	}
	return eventlog.PositionOf(offsets).String(), nil
}

// positionMembers are the members of a decision about an insight that are positions (package catalog).
var positionMembers = map[string][]string{"created": {"pinned", "up_to"}, "verified": {"position"}}

// rewritePositions returns a decision with other positions. All else stays as it is, also what this program does not
// know.
func rewritePositions(decision json.RawMessage, rewrite func(string) (string, error)) (json.RawMessage, error) {
	var d map[string]json.RawMessage
	if err := json.Unmarshal(decision, &d); err != nil {
		return nil, fmt.Errorf("a decision about an insight cannot be read: %w", err)
	}
	for member, names := range positionMembers {
		if len(d[member]) == 0 || string(d[member]) == "null" {
			continue
		}
		var part map[string]json.RawMessage
		if err := json.Unmarshal(d[member], &part); err != nil {
			return nil, fmt.Errorf("a decision about an insight cannot be read: %w", err)
		}
		for _, name := range names {
			var text string
			if len(part[name]) == 0 || json.Unmarshal(part[name], &text) != nil {
				continue
			}
			rewritten, err := rewrite(text)
			if err != nil {
				return nil, fmt.Errorf("a decision about an insight has the %s %q: %w", name, text, err)
			}
			part[name], _ = json.Marshal(rewritten) // a string
		}
		d[member], _ = json.Marshal(part) // of valid parts
	}
	return json.Marshal(d)
}
