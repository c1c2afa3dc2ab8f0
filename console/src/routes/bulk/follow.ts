import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { Operation } from '../../act/acts';
import { bulkOperation, keys } from '../../api/queries';

/** Goes on to how far something is that was begun with many jobs; `replace` leaves no way back to what was asked. */
export function useFollow({ replace = false } = {}): (word: Operation) => void {
  const client = useQueryClient();
  const navigate = useNavigate({ from: '/jobs/bulk' });
  return (word) => {
    client.setQueryData(bulkOperation(word.id).queryKey, word);
    void client.invalidateQueries({ queryKey: keys.jobs });
    void navigate({ search: { id: word.id }, replace });
  };
}
