//! Which texts may contain a word: an index of grams. A gram is three letters in a row, or two where one of them is not ASCII, so that 日报 is
//! found as quickly as `report`. What is not in the list of a word's rarest gram does not contain the word; what is in it is looked at.

use std::collections::HashMap;

/// An index of texts by their grams.
#[derive(Debug, Default)]
pub struct Grams {
    lists: HashMap<[char; 3], Vec<u32>>,
    ids: Vec<i64>,
}

impl Grams {
    /// The index of these texts, each with its id.
    #[must_use]
    pub fn of<'a>(texts: impl IntoIterator<Item = (i64, &'a str)>) -> Self {
        let mut index = Self::default();
        for (id, text) in texts {
            let Ok(place) = u32::try_from(index.ids.len()) else { break };
            index.ids.push(id);
            grams(text, |gram| {
                let list = index.lists.entry(gram).or_default();
                if list.last() != Some(&place) {
                    list.push(place);
                }
            });
        }
        index.lists.values_mut().for_each(Vec::shrink_to_fit);
        index
    }

    /// The ids of all texts that may contain a word; `None` when it is too short to tell.
    #[must_use]
    pub fn may_contain(&self, word: &str) -> Option<Vec<i64>> {
        let mut rarest: Option<&[u32]> = None;
        grams(word, |gram| {
            let list = self.lists.get(&gram).map_or(&[][..], Vec::as_slice);
            if rarest.is_none_or(|rarest| list.len() < rarest.len()) {
                rarest = Some(list);
            }
        });
        Some(rarest?.iter().filter_map(|place| self.ids.get(*place as usize).copied()).collect())
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
