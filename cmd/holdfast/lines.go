package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/client"
)

// quantities reads lines written as SKU=QUANTITY[#LINE].
func quantities(lines []string) ([]client.LineQuantity, error) {
	out := make([]client.LineQuantity, 0, len(lines))
	for _, line := range lines {
		sku, values, _ := cutLast(line, "=")
		quantity, lineNumber, err := numbered(values)
		if sku == "" || err != nil {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY[#LINE], as in A1=2 or A1=2#3", line)
		}
		out = append(out, client.LineQuantity{SKU: sku, Quantity: quantity, Line: lineNumber})
	}
	return out, nil
}

// numbered reads QUANTITY[#LINE]. The line is 0 where there is none.
func numbered(s string) (quantity, line int64, err error) {
	number, lineNumber, hasLine := strings.Cut(s, "#")
	if quantity, err = strconv.ParseInt(number, 10, 64); err != nil || !hasLine {
		return quantity, 0, err
	}
	line, err = strconv.ParseInt(lineNumber, 10, 64)
	return quantity, line, err
}

// pricedLines reads lines written as SKU=QUANTITY@PRICE.
func pricedLines(lines []string) ([]client.OrderLine, error) {
	out := make([]client.OrderLine, 0, len(lines))
	for _, line := range lines {
		item, price, ok := cutLast(line, "@")
		if !ok {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY@PRICE, as in A1=2@2.55", line)
		}
		quantity, err := quantities([]string{item})
		if err == nil && quantity[0].Line != 0 {
			err = fmt.Errorf("the line %q has a number: a new order numbers its lines in their order, from 1", line)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, client.OrderLine{SKU: quantity[0].SKU, Quantity: quantity[0].Quantity, UnitPrice: price})
	}
	return out, nil
}

// charges reads charges written as KIND=AMOUNT.
func charges(texts []string) ([]client.Charge, error) {
	out := make([]client.Charge, 0, len(texts))
	for _, text := range texts {
		kind, amount, ok := strings.Cut(text, "=")
		if !ok || kind == "" || amount == "" {
			return nil, fmt.Errorf("the charge %q is not KIND=AMOUNT, as in shipping=4.90", text)
		}
		out = append(out, client.Charge{Kind: client.ChargeKind(kind), Amount: amount})
	}
	return out, nil
}

// discounts reads discounts written as AMOUNT or CODE=AMOUNT.
func discounts(texts []string) ([]client.Discount, error) {
	out := make([]client.Discount, 0, len(texts))
	for _, text := range texts {
		code, amount, ok := cutLast(text, "=")
		if !ok {
			code, amount = "", text
		}
		if amount == "" || ok && code == "" {
			return nil, fmt.Errorf("the discount %q is not AMOUNT or CODE=AMOUNT, as in WELCOME10=4.76", text)
		}
		out = append(out, client.Discount{Code: code, Amount: amount})
	}
	return out, nil
}

// credits reads what is given back of charges, written as NUMBER=AMOUNT.
func credits(texts []string) (client.Credits, error) {
	out := make(client.Credits, 0, len(texts))
	for _, text := range texts {
		number, amount, _ := strings.Cut(text, "=")
		charge, err := strconv.ParseInt(number, 10, 64)
		if err != nil || amount == "" {
			return nil, fmt.Errorf("the charge %q is not NUMBER=AMOUNT, as in 1=4.90; charges count from 1", text)
		}
		out = append(out, client.ChargeCredit{Charge: charge, Amount: amount})
	}
	return out, nil
}

// amendedLines reads lines written as SKU=QUANTITY[@PRICE][#LINE]. A SKU may contain any of these characters; it ends
// before the last =.
func amendedLines(lines []string) ([]client.AmendLine, error) {
	out := make([]client.AmendLine, 0, len(lines))
	for _, line := range lines {
		sku, values, _ := cutLast(line, "=")
		values, lineNumber, hasLineNumber := strings.Cut(values, "#")
		number, price, _ := strings.Cut(values, "@")
		quantity, err := strconv.ParseInt(number, 10, 64)
		amended := client.AmendLine{SKU: sku, Quantity: quantity, UnitPrice: price}
		if hasLineNumber && err == nil {
			amended.Line, err = strconv.ParseInt(lineNumber, 10, 64)
		}
		if sku == "" || err != nil {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY[@PRICE][#LINE], as in A1=3 or C3=1@2.55", line)
		}
		out = append(out, amended)
	}
	return out, nil
}

// cutLast cuts around the last separator, because a SKU may contain it too.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// number reads an argument that is a number.
func number(what, s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the %s %q is not a whole number", what, s)
	}
	return n, nil
}

// returnedLines reads lines written as SKU=QUANTITY[#LINE]@CONDITION.
func returnedLines(lines []string) ([]client.ReturnedLine, error) {
	out := make([]client.ReturnedLine, 0, len(lines))
	for _, line := range lines {
		quantity, condition, err := inCondition(line)
		if err != nil {
			return nil, err
		}
		out = append(out, client.ReturnedLine{
			SKU: quantity.SKU, Quantity: quantity.Quantity, Line: quantity.Line,
			Condition: client.ReturnedLineCondition(condition),
		})
	}
	return out, nil
}

// undeliveredLines reads lines written as those of returnedLines.
func undeliveredLines(lines []string) ([]client.UndeliveredLine, error) {
	out := make([]client.UndeliveredLine, 0, len(lines))
	for _, line := range lines {
		quantity, condition, err := inCondition(line)
		if err != nil {
			return nil, err
		}
		out = append(out, client.UndeliveredLine{
			SKU: quantity.SKU, Quantity: quantity.Quantity, Line: quantity.Line,
			Condition: client.UndeliveredCondition(condition),
		})
	}
	return out, nil
}

// inCondition reads a quantity and its condition.
func inCondition(line string) (client.LineQuantity, string, error) {
	item, condition, ok := cutLast(line, "@")
	if !ok {
		return client.LineQuantity{}, "",
			fmt.Errorf("the line %q is not SKU=QUANTITY[#LINE]@CONDITION, as in A1=2@resellable", line)
	}
	quantity, err := quantities([]string{item})
	if err != nil {
		return client.LineQuantity{}, "", err
	}
	return quantity[0], condition, nil
}
