package insight

import (
	"slices"
	"strings"
)

// The functions that a definition may use. Their results depend on their arguments alone: not on the time, on chance,
// on the order in which rows are read, on other tables, or on the server. So an answer is the same whenever and in
// whatever parts it is computed.
//
// An aggregate function must also give the same result whatever the order of rows. That is why any, groupArray and
// quantile (which draws a sample) are not here: use min or max, groupUniqArray with arraySort, and quantileExact.
var (
	aggregateFunctions = words(`
		count sum avg min max uniqExact quantileExact quantileExactLow quantileExactHigh quantileExactInclusive quantilesExact
		medianExact groupUniqArray sumMap minMap maxMap groupBitOr groupBitAnd windowFunnel retention`)

	scalarFunctions = words(`
		plus minus multiply divide intDiv intDivOrZero modulo moduloOrZero positiveModulo negate abs sign gcd lcm
		round floor ceil ceiling trunc truncate roundBankers sqrt cbrt exp exp2 exp10 log log2 log10 ln pow power
		equals notEquals less greater lessOrEquals greaterOrEquals and or not xor in notIn
		if multiIf ifNull nullIf coalesce isNull isNotNull assumeNotNull toNullable greatest least between
		isNaN isFinite isInfinite ifNotFinite divideDecimal multiplyDecimal divideOrNull moduloOrNull intDivOrNull
		toInt8 toInt16 toInt32 toInt64 toInt128 toInt256 toUInt8 toUInt16 toUInt32 toUInt64 toUInt128 toUInt256
		toFloat32 toFloat64 toDecimal32 toDecimal64 toDecimal128 toDecimal256 toString toFixedString CAST cast
		toInt64OrNull toInt64OrZero toUInt64OrNull toUInt64OrZero toFloat64OrNull toFloat64OrZero toUUID toUUIDOrNull
		toDate toDate32 toDateTime toDateTime64 toDateOrNull toDateTimeOrNull parseDateTime parseDateTimeBestEffort
		toYear toQuarter toMonth toDayOfYear toDayOfMonth toDayOfWeek toHour toMinute toSecond toISOWeek toISOYear toWeek
		toYYYYMM toYYYYMMDD toYYYYMMDDhhmmss toUnixTimestamp toUnixTimestamp64Milli toUnixTimestamp64Micro
		fromUnixTimestamp64Milli fromUnixTimestamp64Micro toTimeZone
		toStartOfYear toStartOfQuarter toStartOfMonth toStartOfWeek toStartOfDay toStartOfHour toStartOfMinute
		toStartOfISOYear toStartOfInterval toLastDayOfMonth toMonday dateDiff dateTrunc dateName formatDateTime age
		addMicroseconds addMilliseconds subtractMicroseconds subtractMilliseconds
		addSeconds addMinutes addHours addDays addWeeks addMonths addQuarters addYears subtractSeconds subtractMinutes
		subtractHours subtractDays subtractWeeks subtractMonths subtractQuarters subtractYears monthName
		toIntervalSecond toIntervalMinute toIntervalHour toIntervalDay toIntervalWeek toIntervalMonth
		toIntervalQuarter toIntervalYear
		length lengthUTF8 empty notEmpty lower upper lowerUTF8 upperUTF8 trim trimLeft trimRight trimBoth leftPad rightPad
		concat concatWithSeparator substring substringUTF8 left right reverse replaceOne replaceAll replaceRegexpOne
		replaceRegexpAll position positionUTF8 startsWith endsWith like notLike ilike match extract splitByChar
		splitByString repeat format base64Decode base64Encode hex unhex UUIDNumToString
		JSONHas JSONLength JSONType JSONExtract JSONExtractString JSONExtractInt JSONExtractUInt JSONExtractFloat
		JSONExtractBool JSONExtractRaw JSONExtractArrayRaw JSONExtractKeys JSONExtractKeysAndValues simpleJSONExtractInt
		simpleJSONExtractString
		array tuple tupleElement arrayElement arrayConcat arrayJoin arrayMap arrayFilter arrayExists arrayAll arrayCount
		arraySum arrayAvg arrayMin arrayMax arraySort arrayReverseSort arrayReverse arrayDistinct arrayUniq arrayFirst
		arrayLast arrayFirstIndex arrayZip arrayFlatten arrayEnumerate arraySlice arrayPopFront arrayPopBack
		arrayPushBack arrayPushFront arrayCumSum arrayCumSumNonNegative arrayDifference arrayIntersect
		arrayStringConcat has hasAll hasAny indexOf
		range emptyArrayString emptyArrayInt64 map mapKeys mapValues mapContains mapFromArrays mapAdd lambda untuple
		bitAnd bitOr bitXor bitShiftLeft bitShiftRight bitTest transform widthBucket
		cityHash64 xxHash64 sipHash64`)

	// aggregateSuffixes may follow the name of an aggregate function.
	aggregateSuffixes = []string{"If", "Distinct", "Map", "OrNull", "OrDefault"}
)

// whyNot says why some functions are refused, for those who look for another way.
var whyNot = map[string]string{
	"now": nowHint, "now64": nowHint, "today": nowHint, "yesterday": nowHint,
	"rand": randomHint, "rand32": randomHint, "rand64": randomHint, "generateUUIDv4": randomHint,
	"any":         "it takes the row that comes first: use min or max",
	"anyLast":     "it takes the row that comes last: use min or max",
	"first_value": "it takes the row that comes first: use min, or minIf",
	"groupArray":  "its order is that of reading: use arraySort(groupUniqArray(…))",
	"quantile":    "it draws a sample: use quantileExact", "median": "it draws a sample: use medianExact",
	"uniq":   "it estimates: use uniqExact",
	"argMin": "rows with the same minimum make it ambiguous: use min of a tuple",
	"argMax": "rows with the same maximum make it ambiguous: use max of a tuple",
}

const (
	nowHint    = "the answer would depend on when it is computed: use the column time"
	randomHint = "the answer would be another one each time"
)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// isAggregate reports whether a function is an aggregate function of the list, with suffixes or without.
func isAggregate(name string) bool {
	if aggregateFunctions[name] {
		return true
	}
	return slices.ContainsFunc(aggregateSuffixes, func(suffix string) bool {
		stem, ok := strings.CutSuffix(name, suffix)
		return ok && isAggregate(stem)
	})
}
