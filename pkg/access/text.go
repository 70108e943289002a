package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
)

// A key is text: hf_<env>_<id>_<secret><checksum>, for example
//
//	hf_shop_k3v5q2m7xw4a_7Yt…(43 characters)…Q0aB1cD
//
// The environment is that of the platform (--env), for people who have keys of several. The ID names the key in lists
// and logs; it is no secret. The secret has 256 bits. The checksum is the CRC-32 of all before it, so that a typing
// error is found without the platform, and a program that searches texts for secrets can tell a key from other texts.
const (
	textPrefix     = "hf_"
	idLength       = 12
	secretBytes    = 32
	secretLength   = 43 // of 32 bytes in base 62
	checksumLength = 6  // of 4 bytes in base 62
	maxEnvLength   = 64
	// MaxTextLength is the length of the longest key.
	MaxTextLength = len(textPrefix) + maxEnvLength + 1 + idLength + 1 + secretLength + checksumLength
)

// base62 are the digits of secret and checksum, in the order of math/big.
const base62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// hash is the SHA-256 of a key's text. A secret of 256 random bits cannot be guessed, so that the hash needs no salt
// and need not be slow.
type hash [sha256.Size]byte

// equals compares in a time that does not depend on what is equal.
func (h *hash) equals(other hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// newText makes a key.
func newText(env string) (text, id string) {
	id = strings.ToLower(rand.Text()[:idLength])
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // it never fails
	text = textPrefix + env + "_" + id + "_" + digits(new(big.Int).SetBytes(secret), secretLength)
	return text + checksumOf(text), id
}

// digits writes a number in base 62, with zeros before it.
func digits(n *big.Int, length int) string {
	text := n.Text(len(base62))
	return strings.Repeat("0", length-len(text)) + text
}

func checksumOf(text string) string {
	return digits(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(text)))), checksumLength)
}

// idOf finds the ID in a key's text. It does not look whether the text is a key: only one whose hash is known is.
func idOf(text string) (id string, ok bool) {
	end := len(text) - checksumLength - secretLength - 1
	begin := end - idLength
	if begin < len(textPrefix)+2 || len(text) > MaxTextLength || text[end] != '_' || text[begin-1] != '_' ||
		text[:len(textPrefix)] != textPrefix {
		return "", false
	}
	return text[begin:end], true
}

// hashOf hashes a key's text, of at most MaxTextLength, without an allocation.
func hashOf(text string) hash {
	var buf [MaxTextLength]byte
	return sha256.Sum256(buf[:copy(buf[:], text)])
}

// CheckText says what is wrong with the text of a key, for whoever is about to use it. The error does not have it.
func CheckText(text string) error {
	if _, ok := idOf(text); !ok {
		return fmt.Errorf("it is no API key: one has the form %sENV_ID_SECRET, of which the secret has %d characters",
			textPrefix, secretLength+checksumLength)
	}
	end := len(text) - checksumLength
	if checksumOf(text[:end]) != text[end:] {
		return errors.New("its checksum is wrong: a character was left out or mistyped; copy the key again")
	}
	return nil
}
