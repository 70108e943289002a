package eventlog

// PartitionFor is the partition of a key. It is the same one that every standard Kafka client chooses: the hash is that
// of the Java client, murmur2. It does not allocate.
func PartitionFor(key string, partitionCount int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % partitionCount
}

// PartitionForBytes is PartitionFor of a key in bytes.
func PartitionForBytes(key []byte, partitionCount int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % partitionCount
}

// murmur2 is org.apache.kafka.common.utils.Utils.murmur2.
func murmur2[K string | []byte](key K) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
		r           = 24
	)
	h := seed ^ uint32(len(key))
	for len(key) >= 4 {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		key = key[4:]
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
