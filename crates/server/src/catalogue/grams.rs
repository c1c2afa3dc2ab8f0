//! Which texts may contain a word: an index of grams. A gram is three letters in a row, or two where one of them is not ASCII, so that 日报 is
//! found as quickly as `report`. What is not in the list of a word's rarest gram does not contain the word; what is in it is looked at.

use std::collections::HashMap;

/// An index of texts by their grams.
#[derive(Debug, Default)]
pub struct Grams {
    lists: HashMap<[char; 3], Places>,
    ids: Vec<i64>,
}

/// Places, each greater than the one before. What is kept is how far apart they are, in bytes of seven bits, the last of a number with a zero above
/// them: most take one byte, and there are a few dozen for each text.
#[derive(Debug, Default)]
struct Places {
    bytes: Vec<u8>,
    count: u32,
    /// One more than the last.
    next: u32,
}

impl Places {
    /// Adds a place behind the others; one that is there already is there once.
    fn add(&mut self, place: u32) {
        let Some(mut apart) = place.checked_sub(self.next) else { return };
        while apart >= 0x80 {
            self.bytes.push((apart & 0x7f) as u8 | 0x80);
            apart >>= 7;
        }
        self.bytes.push(apart as u8);
        (self.count, self.next) = (self.count + 1, place + 1);
    }

    fn iter(&self) -> impl Iterator<Item = u32> {
        let (mut bytes, mut next) = (self.bytes.iter(), 0);
        std::iter::from_fn(move || {
            let (mut apart, mut shift) = (0, 0);
            loop {
                let byte = bytes.next()?;
                apart |= u32::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
                shift += 7;
            }
            let place = next + apart;
            next = place + 1;
            Some(place)
        })
    }
}

impl Grams {
    /// The index of these texts, each with its id.
    #[must_use]
    pub fn of<'a>(texts: impl IntoIterator<Item = (i64, &'a str)>) -> Self {
        let mut index = Self::default();
        for (id, text) in texts {
            let Ok(place) = u32::try_from(index.ids.len()) else { break };
            index.ids.push(id);
            grams(text, |gram| index.lists.entry(gram).or_default().add(place));
        }
        index.lists.values_mut().for_each(|places| places.bytes.shrink_to_fit());
        index.lists.shrink_to_fit();
        index.ids.shrink_to_fit();
        index
    }

    /// The ids of all texts that may contain a word; `None` when it is too short to tell.
    #[must_use]
    pub fn may_contain(&self, word: &str) -> Option<Vec<i64>> {
        let nobody = Places::default();
        let mut rarest: Option<&Places> = None;
        grams(word, |gram| {
            let places = self.lists.get(&gram).unwrap_or(&nobody);
            if rarest.is_none_or(|rarest| places.count < rarest.count) {
                rarest = Some(places);
            }
        });
        Some(rarest?.iter().filter_map(|place| self.ids.get(place as usize).copied()).collect())
    }
}

fn grams(text: &str, mut each: impl FnMut([char; 3])) {
    let mut before: [Option<char>; 2] = [None, None];
    for letter in text.chars() {
        if let [_, Some(one)] = before
            && !(one.is_ascii() && letter.is_ascii())
        {
            each([one, letter, '\0']);
        }
        if let [Some(one), Some(two)] = before
            && one.is_ascii()
            && two.is_ascii()
            && letter.is_ascii()
        {
            each([one, two, letter]);
        }
        before = [before[1], Some(letter)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts and words of few letters, so that they meet often; some of them mean something elsewhere.
    const LETTERS: [char; 9] = ['a', 'b', 'c', '%', '_', '日', '报', 'é', '*'];

    fn text(random: &mut u64, most: u64) -> String {
        let mut next = || {
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            *random >> 16
        };
        (0..next() % most).map(|_| LETTERS[(next() % 9) as usize]).collect()
    }

    #[test]
    fn whatever_contains_a_word_may_contain_it() {
        let mut random = 7;
        let mut told = 0;
        for _ in 0..40 {
            let texts: Vec<String> = (0..60).map(|_| text(&mut random, 12)).collect();
            let index = Grams::of(texts.iter().enumerate().map(|(id, text)| (id as i64, text.as_str())));
            for _ in 0..60 {
                let word = text(&mut random, 5);
                let naive: Vec<i64> = (0_i64..)
                    .zip(&texts)
                    .filter(|(_, text)| text.contains(&word))
                    .map(|(id, _)| id)
                    .collect();
                let Some(found) = index.may_contain(&word) else { continue };
                told += 1;
                assert!(naive.iter().all(|id| found.contains(id)), "`{word}` in {texts:?}: {found:?}");
            }
        }
        assert!(told > 1_000, "most words are long enough to tell: {told}");
    }

    #[test]
    fn places_are_kept_however_far_apart_they_are() {
        let all = [0, 1, 127, 128, 129, 300, 16_700, 16_701, 4_000_000, u32::MAX - 1];
        let mut places = Places::default();
        for place in all {
            places.add(place);
            places.add(place);
        }
        assert_eq!(places.iter().collect::<Vec<_>>(), all);
        assert_eq!(places.count, all.len() as u32);
    }

    #[test]
    fn two_letters_tell_where_one_is_not_ascii_and_three_everywhere() {
        let index = Grams::of([(1, "billing-日报"), (2, "weekly")]);
        assert_eq!(index.may_contain("日报"), Some(vec![1]));
        assert_eq!(index.may_contain("-日"), Some(vec![1]));
        assert_eq!(index.may_contain("eek"), Some(vec![2]));
        assert_eq!(index.may_contain("xyz"), Some(vec![]));
        assert_eq!(
            (index.may_contain("日"), index.may_contain("we"), index.may_contain("")),
            (None, None, None)
        );
    }
}
